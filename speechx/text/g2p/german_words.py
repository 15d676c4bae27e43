"""Word lists of the German back end: irregular words, short vowels, and frequent second parts of compounds."""

from __future__ import annotations

from speechx.text.locales.base import table

# Whole words that the rules would get wrong.
EXCEPTIONS: dict[str, str] = table("""
der=d eː ɐ; die=d iː; das=d a s; den=d eː n; dem=d eː m; des=d ɛ s; ein=aɪ n; eine=aɪ n ə; er=eː ɐ; es=ɛ s; wer=v ˈeː ɐ
wem=v ˈeː m; wen=v ˈeː n; ist=ɪ s t; im=ɪ m; in=ɪ n; am=a m; an=a n; und=ʊ n t; zu=ts uː; zum=ts ʊ m; zur=ts uː ɐ
von=f ɔ n; vom=f ɔ m; vor=f oː ɐ; für=f yː ɐ; mit=m ɪ t; hat=h a t; hatte=h ˈa t ə; hatten=h ˈa t ə n; war=v aː ɐ; wir=v iː ɐ
ihr=iː ɐ; ihm=iː m; ihn=iː n; ihnen=ˈiː n ə n; sie=z iː; du=d uː; mir=m iː ɐ; dir=d iː ɐ; wie=v iː; so=z oː; da=d aː; ja=j ˈaː; wo=v ˈoː
nach=n aː x; noch=n ɔ x; doch=d ɔ x; auch=aʊ x; hoch=h ˈoː x; höchste=h ˈøː ç s t ə; mehr=m ˈeː ɐ; sehr=z ˈeː ɐ; her=h ˈeː ɐ
über=ˈyː b ɐ; aber=ˈaː b ɐ; oder=ˈoː d ɐ; wieder=v ˈiː d ɐ; weg=v ˈɛ k; vielleicht=f i l ˈaɪ ç t; heute=h ˈɔɪ t ə
warum=v a ʁ ˈʊ m; darum=d a ʁ ˈʊ m; damit=d a m ˈɪ t; dabei=d a b ˈaɪ; dafür=d a f ˈyː ɐ; davon=d a f ˈɔ n; dazu=d a ts ˈuː
daran=d a ʁ ˈa n; darauf=d a ʁ ˈaʊ f; darin=d a ʁ ˈɪ n; dadurch=d a d ˈʊ ɐ ç; danach=d a n ˈaː x; daher=d a h ˈeː ɐ
jedoch=j e d ˈɔ x; sowie=z o v ˈiː; sowohl=z o v ˈoː l; obwohl=ɔ p v ˈoː l; zurück=ts u ʁ ˈʏ k; zusammen=ts u z ˈa m ə n
woher=v o h ˈeː ɐ; wohin=v o h ˈɪ n; allein=a l ˈaɪ n; bereits=b ə ʁ ˈaɪ ts; genau=ɡ ə n ˈaʊ; gemüse=ɡ ə m ˈyː z ə
bevor=b ə f ˈoː ɐ; zuvor=ts u f ˈoː ɐ; hierbei=h iː ɐ b ˈaɪ; hierfür=h iː ɐ f ˈyː ɐ; beton=b e t ˈɔ ŋ
familie=f a m ˈiː l j ə; familien=f a m ˈiː l j ə n; italien=i t ˈaː l j ə n; spanien=ʃ p ˈaː n j ə n; ferien=f ˈeː ʁ j ə n
linie=l ˈiː n j ə; studie=ʃ t ˈuː d j ə; aktie=ˈa k ts j ə; asien=ˈaː z j ə n; großbritannien=ɡ ʁ oː s b ʁ i t ˈa n j ə n
australien=aʊ s t ʁ ˈaː l j ə n; argentinien=a ɐ ɡ ɛ n t ˈiː n j ə n; kalifornien=k a l i f ˈɔ ɐ n j ə n
website=v ˈɛ p z aɪ t; browser=b ʁ ˈaʊ z ɐ; online=ˈɔ n l aɪ n; mail=m ˈeː l; ski=ʃ ˈiː; österreich=ˈøː s t ə ʁ aɪ ç
zunächst=ts u n ˈɛː ç s t; zuletzt=ts u l ˈɛ ts t; zudem=ts u d ˈeː m; bisher=b ɪ s h ˈeː ɐ; weiterhin=v ˈaɪ t ɐ h ɪ n
chef=ʃ ˈɛ f; chance=ʃ ˈɑ̃ s ə; restaurant=ʁ ɛ s t o ʁ ˈɑ̃; büro=b y ʁ ˈoː; computer=k ɔ m p j ˈuː t ɐ; job=dʒ ˈɔ p; team=t ˈiː m
orange=o ʁ ˈɑ̃ ʒ ə; garage=ɡ a ʁ ˈaː ʒ ə; ingenieur=ɪ n ʒ e n j ˈøː ɐ; journalist=ʒ ʊ ɐ n a l ˈɪ s t; genie=ʒ e n ˈiː; niveau=n i v ˈoː
saison=z ɛ z ˈɔ̃; trainer=t ʁ ˈɛː n ɐ; baby=b ˈeː b i; hobby=h ˈɔ b i; city=s ˈɪ t i; show=ʃ ˈoː; internet=ˈɪ n t ɐ n ɛ t
jahrhundert=j aː ɐ h ˈʊ n d ɐ t; jahrzehnt=j aː ɐ ts ˈeː n t; lebendig=l e b ˈɛ n d ɪ ç; forelle=f o ʁ ˈɛ l ə
erst=ˈeː ɐ s t; erste=ˈeː ɐ s t ə; ersten=ˈeː ɐ s t ə n; erster=ˈeː ɐ s t ɐ; werden=v ˈeː ɐ d ə n; werde=v ˈeː ɐ d ə; wert=v ˈeː ɐ t
erde=ˈeː ɐ d ə; erden=ˈeː ɐ d ə n; pferd=pf ˈeː ɐ t; pferde=pf ˈeː ɐ d ə; schwert=ʃ v ˈeː ɐ t; herd=h ˈeː ɐ t; art=ˈaː ɐ t; arten=ˈaː ɐ t ə n
bart=b ˈaː ɐ t; mond=m ˈoː n t; obst=ˈoː p s t; buch=b ˈuː x; bücher=b ˈyː ç ɐ; suche=z ˈuː x ə; suchen=z ˈuː x ə n; sucht=z ˈuː x t
besuch=b ə z ˈuː x; besuchen=b ə z ˈuː x ə n; versuch=f ɛ ɐ z ˈuː x; versuchen=f ɛ ɐ z ˈuː x ə n; kuchen=k ˈuː x ə n; tuch=t ˈuː x
sprache=ʃ p ʁ ˈaː x ə; sprachen=ʃ p ʁ ˈaː x ə n; sprach=ʃ p ʁ ˈaː x; brach=b ʁ ˈaː x; nächste=n ˈɛː ç s t ə; nächsten=n ˈɛː ç s t ə n
städte=ʃ t ˈɛː t ə; städten=ʃ t ˈɛː t ə n; stadt=ʃ t ˈa t; hof=h ˈoː f; vier=f ˈiː ɐ; vierzig=f ˈɪ ɐ ts ɪ ç; vierzehn=f ˈɪ ɐ ts eː n
zwei=ts v ˈaɪ; drei=d ʁ ˈaɪ; sechs=z ˈɛ k s; sechzehn=z ˈɛ ç ts eː n; sechzig=z ˈɛ ç ts ɪ ç; siebzig=z ˈiː p ts ɪ ç; hundert=h ˈʊ n d ɐ t
tausend=t ˈaʊ z ə n t; million=m ɪ l j ˈoː n; millionen=m ɪ l j ˈoː n ə n; milliarde=m ɪ l j ˈa ɐ d ə; milliarden=m ɪ l j ˈa ɐ d ə n
prozent=p ʁ o ts ˈɛ n t; problem=p ʁ o b l ˈeː m; probleme=p ʁ o b l ˈeː m ə; system=z ʏ s t ˈeː m; europa=ɔɪ ʁ ˈoː p a; amerika=a m ˈeː ʁ i k a
afrika=ˈaː f ʁ i k a; deutschland=d ˈɔɪ tʃ l a n t; berlin=b ɛ ɐ l ˈiː n; hotel=h o t ˈɛ l; musik=m u z ˈiː k; physik=f y z ˈiː k
politik=p o l i t ˈiː k; fabrik=f a b ʁ ˈiː k; kritik=k ʁ i t ˈiː k; republik=ʁ e p u b l ˈiː k; technik=t ˈɛ ç n ɪ k; person=p ɛ ɐ z ˈoː n
personen=p ɛ ɐ z ˈoː n ə n; natur=n a t ˈuː ɐ; kultur=k ʊ l t ˈuː ɐ; figur=f i ɡ ˈuː ɐ; lehrerin=l ˈeː ʁ ə ʁ ɪ n; roman=ʁ o m ˈaː n
april=a p ʁ ˈɪ l; august=aʊ ɡ ˈʊ s t; juni=j ˈuː n i; juli=j ˈuː l i; januar=j ˈa n u aː ɐ; februar=f ˈeː b ʁ u aː ɐ; mai=m ˈaɪ
aussage=ˈaʊ s z aː ɡ ə; haben=h ˈaː b ə n; habe=h ˈaː b ə; habt=h ˈaː p t; hast=h a s t; sagt=z ˈaː k t; sagte=z ˈaː k t ə; gibt=ɡ ˈiː p t; lebt=l ˈeː p t
lebte=l ˈeː p t ə; liegt=l ˈiː k t; legte=l ˈeː k t ə; trägt=t ʁ ˈɛː k t; fragte=f ʁ ˈaː k t ə; zeigt=ts ˈaɪ k t; gehört=ɡ ə h ˈøː ɐ t; geht=ɡ ˈeː t
ruhe=ʁ ˈuː ə; nähe=n ˈɛː ə; sehen=z ˈeː ə n; gehen=ɡ ˈeː ə n; stehen=ʃ t ˈeː ə n; tisch=t ˈɪ ʃ; uhr=ˈuː ɐ; ohr=ˈoː ɐ; jahr=j ˈaː ɐ
ost=ˈɔ s t; bis=b ɪ s; ob=ɔ p; bin=b ɪ n; hin=h ɪ n; man=m a n; was=v a s; wenn=v ɛ n; denn=d ɛ n; als=a l s; wird=v ɪ ɐ t; wurde=v ˈʊ ɐ d ə
""")

# Monosyllables (and some stems) with a short vowel before one consonant.
SHORT = frozenset(
    "ab an am as ob um un in im hin bin bis mit fit man von vom zum das was des es weg hat gas rum bus plus ins "
    "chef top tip rom april hotel jan ort drin bot lot job club web mag dran gab dorf".split()
) - {"mag", "gab", "gas", "bot", "lot"}

# Words that only look as if they ended in a stressed loan ending.
STEMS = frozenset(
    "einmal zweimal dreimal diesmal niemals jemals general material signal oval kanal wirken marken andern garten "
    "wandern kinder schwester meister minister geist fenster leisten meisten besten ersten letzten westen osten kosten "
    "fristen listen kisten christen selten zelten gelten halten spielten felten wollten sollten konnten hätten hatten "
    "leuten zeiten seiten arbeiten warten karten konten kranken danken gedanken tanten pflanzen ganzen tanzen grenzen "
    "länder bänder schulden bilden wissen kante kanten bekannten verwandten enkel onkel wald eltern stein steine "
    "doktor motor autor faktor pastor professor direktor traktor heinrich martin robin stefan christian "
    "verein anderen monat heimat honig pfennig essen morgen schatten lehrerin freundin königin arbeiterin "
    "studentin ärztin kellnerin polen rosen hosen dosen kanten wanten".split()
)
UNSTRESSED = frozenset(
    "ich sich mich dich uns euch auch nicht als wenn dass weil denn aber oder sind seid dann seine seiner seinen seinem ihre ihren ihrem ihrer".split()
)

# Frequent second parts of compounds and place names.
HEADS = (
    "straße|straßen|haus|häuser|hausen|bahn|hof|höfe|stadt|städte|land|länder|kreis|berg|burg|dorf|dörfer|heim|bach|"
    "feld|felder|wald|see|turm|platz|plätze|markt|brücke|kirche|schule|schüler|arbeit|zeit|zeiten|jahr|tag|woche|"
    "monat|abend|nacht|mann|männer|frau|leute|kind|kinder|vater|mutter|bruder|schwester|wasser|feuer|licht|luft|"
    "erde|stein|holz|papier|werk|werke|buch|bücher|blatt|schrift|zeichen|spiel|spieler|musik|kunst|bild|bilder|film|"
    "recht|gesetz|staat|macht|krieg|kraft|kräfte|stoff|teil|seite|stelle|raum|zimmer|tür|fenster|stuhl|wagen|weg|"
    "wege|fahrt|fahrer|zug|schiff|flug|hafen|insel|küste|meer|fluss|grund|boden|garten|baum|bäume|blume|tiere|hund|"
    "pferd|vogel|fisch|herr|meister|führer|bund|verein|gruppe|gemeinde|dienst|geld|preis|wirtschaft|industrie|bau|"
    "bauer|form|punkt|linie|zahl|maß|größe|wert|grad|gebiet|bezirk|region|welt|leben|tod|sinn|wort|wörter|sprache|"
    "name|namen|stück|satz|ordnung|bildung|lehre|wissen|wissenschaft|kammer|halle|saal|theater|oper|lied|stimme|"
    "zeitung|post|bank|karte|gericht|gang|stand|stunde|minute|wechsel|handel|händler|reise|mittel|maschine|gerät|"
    "fall|fälle|frage|schutz|zentrum|zone|bischof|könig|kaiser|graf|schloss|grenze|reich|volk|bewegung|partei|wahl|"
    "präsident|minister|rennen|sieger|meisterschaft|fläche|höhe|tiefe|länge|breite|bürger|mitglied|verband|hilfe|"
    "wehr|güter|gebäude|anlage|wohner|farbe|stern|sommer|winter|stellung|stellungen|stützung|stellen|steller|"
    "schulen|prozess|prozesse|geschäft|geschäfte|stoffe|stöße|schritt|schritte|spitze|spitzen|stärke|ständig|"
    "strecke|strecken|sprung|stahl|steuer|stift|stadion|studium|student|studenten|spende|sprecher|sprecherin|"
    "stimmung|stab|staben|gründe|tanz|gründen"
)
