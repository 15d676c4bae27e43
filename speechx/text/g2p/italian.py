"""Italian: regular spelling; stress and the openness of e and o by endings and short lists of exceptions."""

from __future__ import annotations

import itertools
import re

from speechx.text.g2p.base import Phones, RewriteRules, RuleG2P, nuclei, stress_from_end
from speechx.text.phones import STRESS, add_stress

_RULES = RewriteRules("""
cch(?=[eiéèì]) -> k k
cc(?=[eéè]) -> t tʃ
cci(?=[aouàòù]) -> t tʃ
cc(?=[iì]) -> t tʃ
cc -> k k
cq -> k k
ch -> k
sci(?=[aouàòù]) -> ʃ
sc(?=[eiéèì]) -> ʃ
ci(?=[aouàòù]) -> tʃ
c(?=[eiéèì]) -> tʃ
c -> k
ggh -> ɡ ɡ
ggi(?=[aouàòù]) -> d dʒ
gg(?=[eiéèì]) -> d dʒ
gg -> ɡ ɡ
gh -> ɡ
^gli$ -> ʎ i
gli(?=[aeouàèéòù]) -> ʎ
(?<=n)gl -> ɡ l
^gl(?=i[^$]) -> ɡ l
gl(?=[iì]) -> ʎ
gn -> ɲ
gi(?=[aouàòù]) -> dʒ
g(?=[eiéèì]) -> dʒ
g -> ɡ
qu -> k w
q -> k
zz -> t ts
^z -> dz
z -> ts
(?<=[aeiouàèéìòù])s(?=[aeiouàèéìòù]) -> z
s(?=[bdglmnrv]) -> z
ss -> s s
s -> s
h ->
j -> j
x -> k s
y -> i
w -> w
k -> k
b -> b
d -> d
f -> f
l -> l
m -> m
n -> n
p -> p
r -> r
t -> t
v -> v
ie -> j ɛ
uo -> w ɔ
i(?=[aeouàèéòù]) -> j
(?<=[aeo])i -> j
u(?=[aeiàèéìò]) -> w
(?<=[ae])u -> w
à -> ˈa
è -> ˈɛ
é -> ˈe
ì -> ˈi
í -> ˈi
ò -> ˈɔ
ó -> ˈo
ù -> ˈu
ú -> ˈu
á -> ˈa
a -> a
e -> e
i -> i
o -> o
u -> u
""")

_UNSTRESSED = frozenset(
    "il lo la i gli le un uno una l' di del dello della dei degli delle da dal dallo dalla dai dagli dalle in nel nello "
    "nella nei negli nelle su sul sullo sulla sui sugli sulle a al allo alla ai agli alle con per tra fra e ed o od che "
    "se ma mi ti ci vi si ne non lo li me te ce ve".split()
)

# Endings with the stress on the third syllable from the end; the part before must hold at least a vowel.
_THIRD = re.compile(
    r"[aeiou].*(?:"
    r"[aei]bil[ei]|issim[aoie]|errim[aoie]|evol[ei]|ic[aoh]|ici|ich[ei]|aci[dl][aoie]|logi?[oaih]|ologo|grafo|grafi|"
    r"[dtv]ere|rrere|mpere|[^aeiou]ono|metr[oi]|esim[aoie]|"
    r"[aeiou]nic[oaie]|tudin[ei]|agin[eai]|edin[ei]|igin[ei]|oner[ei]|iscono|[aei]ssero|[aei]rono|avano|evano|ivano|"
    r"erebbero|irebbero|[ai]ndosi|endol[oaie]|and[oei]l[oaie]|[dt]ol[oaie]|col[oaie]|bol[oaie]|gol[oaie]|pol[oaie]|"
    r"fer[oai]|ger[ei]|cer[ei]|vid[oaie]|pid[oaie]|mid[oaie]|bid[oaie]|rid[oaie]|lid[oaie]|quid[oaie]|"
    r"plic[oaie]|[lnrt]it[oaie]l[oaie]|atic[oaie]|atich[ei]|etic[oaie]|istic[oaie]|istich[ei]|onic[oaie]"
    r")$"
)
_SECOND = frozenset(
    "possedere rivedere prevedere provvedere ricadere accadere godere perdono abbandono colono patrono amico amica amici amiche nemico nemica nemici antico antica antichi antiche fatica fatiche mendico formica ombelico "
    "dico dici dica piccolo vertice sentito potere avere sapere vedere volere dovere piacere valere cadere tenere sedere "
    "temere godere cenere partito finito uscito seguito capito servito dormito vestito marito invito uscita partita "
    "salita vita lita dita ferita unito gradita pulito pulita infinito infinita tacere rimanere parere fico "
    "rapito capiti mito rito sito lito pepe metro metri tolo volo solo sola soli sole polo gola volo poli molo ruolo "
    "figliolo spagnolo spagnola suolo stuolo tagliuolo usignolo aiuola parola parole scuola scuole nuvole lenzuolo "
    "vagabondo consola pistola bandiera carriera".split()
)  # fmt: skip
_EXTRA_THIRD = frozenset(
    "ottimo ottima ottimi ottime stimolo stimoli comodo comoda comodi genera generano mancano ordinano fosforo carattere caratteri "
    "immagina eredita essere vivere vincere scrivere leggere prendere perdere chiedere credere mettere correre ridere rispondere "
    "spendere vendere chiudere decidere dividere uccidere nascere crescere conoscere piangere spingere dipingere "
    "raccogliere scegliere togliere sciogliere rompere muovere ricevere battere combattere permettere promettere "
    "discutere esistere resistere insistere accendere attendere difendere comprendere sorprendere riprendere nascondere "
    "succedere concedere procedere ridurre tavolo tavola tavoli tavole popolo popoli secolo secoli piccolo piccola "
    "piccoli piccole angolo angoli articolo articoli spettacolo spettacoli ostacolo pericolo pericoli veicolo veicoli "
    "miracolo circolo singolo singola singoli titolo titoli capitolo capitoli numero numeri lettera lettere camera camere "
    "opera opere macchina macchine pagina pagine immagine immagini ordine ordini uomini donne giovane giovani anima anime "
    "ultimo ultima ultimi ultime prossimo prossima massimo minimo ottimo pessimo subito sabato domenica medico medici "
    "musica musiche fisica politica politico politici pubblico pubblica logica tecnica tecnico chimica america africa "
    "unico unica fabbrica carica critica pratica grammatica matematica storico storica classico magico tragico comico "
    "albero alberi genere generi semplice semplici giudice giudici indice codice codici vertice principe principi "
    "dodici undici tredici quattordici quindici sedici possono devono vogliono vengono tengono dicono fanno stanno "
    "leggono scrivono vivono vedono prendono mettono credono corrono chiedono parlano mangiano pensano amano guardano "
    "lavorano trovano portano arrivano giocano aspettano cominciano diventano sembrano restano passano entrano tornano "
    "ascoltano abitano comprano usano cambiano cercano lasciano aiutano sentono aprono partono dormono capita capitano "
    "abito abiti abita limite limiti edito debito credito merito spirito spiriti compito vomito visita visite termine termini "
    "fegato stomaco monaco sindaco porpora polvere cenere tenero tenera libero libera liberi povero povera poveri vecchio "
    "zucchero ossigeno telefono telefoni microfono orologio giovedi mobile mobili facile facili difficile difficili utile "
    "inutile simile simili umile abile debole deboli nobile fragile agile stupido stupida rapido rapida timido umido "
    "rigido valido solido liquido splendido orrido lucido gravido nuvola nuvole isola isole favola favole regola regole "
    "pillola scatola scatole pentola bambola tegola cellula formula formule penisola nocciola fragola fragole "
    "diavolo cavolo fulmine vimini asino asini pettine cardine margine origine margini virgola febbre attimo attimi "
    "decimo settimo anonimo sinonimo lacrima lacrime vittima vittime prossima legittimo intimo epoca epoche "
    "perdita vendita crescita nascita rendita domanda scomodo comodo metodo metodi periodo periodi episodio "
    "modulo vicolo ricolo calcolo calcoli muscolo muscoli stimolo idolo catalogo dialogo psicologo stomaco intrigo "
    "obbligo svantaggio traffico carico scarico panico pianeta oceano oceani organo organi origano stefano napoli "
    "modena genova taranto brindisi padova bergamo trapani cesare giulio teresa alessandria monaco austria mantova "
    "ventesimo trentesimo centesimo atomo epistola gondola molecola mandorla parcheggiano occupano significano "
    "dedicano indicano verificano evitano abituano desiderano considerano ricordano dimenticano preferiscono capiscono "
    "finiscono costruiscono unisce stabile notevole possibile impossibile terribile incredibile sensibile visibile "
    "responsabile ridicolo bibita orbita gomito alito lascito implicito esplicito tacito lecito illecito "
    "suocera suocero genero camera cantera passero collera vipera pecora pecore ancora".split()
) - {"ancora", "ridurre", "febbre", "vecchio", "donne", "domanda", "fanno", "stanno", "giovedi"}  # fmt: skip
# Words in which the i of -ia, -io, -ie is a syllable of its own, and stressed.
_IA = frozenset(
    "mia mie tua zia zie zio via vie pia pie spia spie dia sia siano fia bugia bugie farmacia farmacie follia energia "
    "energie magia malattia malattie compagnia compagnie economia allegria batteria galleria lotteria libreria librerie "
    "pizzeria trattoria polizia fantasia poesia poesie gelosia cortesia ipocrisia teoria teorie categoria categorie "
    "nostalgia allergia democrazia geografia fotografia fotografie biografia filosofia tecnologia tecnologie psicologia "
    "biologia ecologia analogia strategia strategie terapia terapie sinfonia armonia ironia agonia mania colonia periferia "
    "geometria simmetria industria maria lucia sofia turchia ungheria romania lombardia albania algeria russia scia "
    "etnia anatomia astronomia autonomia antipatia simpatia pazzia frenesia garanzia garanzie economie scrivania cartoleria "
    "segreteria gioielleria osteria pasticceria macelleria gelateria birreria fanteria cavalleria artiglieria ingegneria "
    "prateria segnaletica addio leggio mormorio calpestio pendio rio dio dii brio zii invio oblio avvio "
    "avvia invia cioe eresia profezia liturgia normandia calabria".split()
) - {
    "polizia", "industria", "ungheria", "russia", "algeria", "colonia", "calabria", "segnaletica", "cioe", "garanzia",
    "garanzie", "dii",
}  # fmt: skip
_IA |= {"polizia", "garanzia", "garanzie", "ungheria", "algeria"}
_UA = frozenset("tua tue sua sue due tuo suo tuoi suoi".split())

_OPEN_E = re.compile(
    r"(?:ell[oaie]|enz[ae]|ent[ei]|end[oaie]|est[oaie]|erso|ersa|ersi|erse|ett[oi]re|emp[oi]|esimo|esima|err[ae]|ecc?[oaie]h?|"
    r"ero|era|eri|ere|erno|erna|erni|ett[oaie]|ense|ensi|enso|eto|eti|ezz[oi]|ezi[aoe]|eni[oa]|eri[aoe]|evole|enic[oa])$"
)
_CLOSED_E = frozenset(
    "era eri erano mente questo questa questi queste quello quella quelli quelle vero vera veri vere sera sere nero nera "
    "stesso stessa stessi stesse messo messa mese mesi paese paesi casetta letto netto detto detti detta dente vendere "
    "segreto pera cera mentre avere potere sapere vedere volere dovere piacere bere bevere verde neve fede sete rete mele "
    "tre re me te se che perche francese inglese giapponese cinese portoghese tenere credere cena pena vena meno almeno "
    "pieno piena seno freno treno sereno terreno veleno metto mette metti permette segno legno degno regno disegno "
    "capello capelli cappello ecco meglio".split()
) - {"ecco", "meglio", "cappello", "era", "letto", "dente"}  # fmt: skip
_OPEN_O = re.compile(
    r"(?:ott[oaie]|occh?[oaie]|oll[oaie]|orpo|orpi|ort[eoia]|ori[aoe]|osc[ao]|ost[aoe]|osa|ose|oco|oca|olo[gh]|olic[oa]|omic[oa]|onic[oa]|"
    r"opo|ord[oi]|orno|orz[oa]|olt[ao]|ogi[aoe]?|obil[ei]|ollo|ossi?[oi]?|oder[oi]|oid[eo])$"
)
_CLOSED_O = frozenset(
    "sotto rotto dotto condotto prodotto ora ore allora ancora colore sole solo sola soli molto molta molti molte volto "
    "ascolto giorno giorni ritorno intorno forno torno corno corte sposa rosso rossa rossi rosse posto nascosto mosca costa "
    "forse corso borsa corre dopo dove nome come sono scopo forma mondo fondo secondo rotondo ponte monte fronte conto "
    "bocca colpo conta sogno bisogno dono persona persone gioco voce croce noce dolce giorno loro coro poso".split()
) - {"gioco", "posto", "conto", "costa", "coro", "poso", "scopo", "dopo", "corte"} | {"posto", "dopo", "corte", "conto"}  # fmt: skip
# English words of daily use.
_FOREIGN = {
    "password": "p ˈa s s w o r d", "browser": "b r ˈa w z e r", "email": "i m ˈe i l", "e-mail": "i m ˈe i l",
    "computer": "k o m p j ˈu t e r", "internet": "ˈi n t e r n e t", "database": "d a t a b ˈe i z", "ok": "o k ˈɛ i",
    "weekend": "w i k ˈɛ n d", "marketing": "m ˈa r k e t i n ɡ", "manager": "m ˈa n a dʒ e r", "software": "s ˈɔ f t w e r",
}  # fmt: skip
_VOWEL_OF = {"e": "ɛ", "o": "ɔ"}
_CLOSE = {"ɛ": "e", "ɔ": "o"}  # open vowels exist only under the stress


class ItalianG2P(RuleG2P):
    """Phones of standard Italian; geminates are doubled, ʎ ɲ ʃ between vowels stay single."""

    letters = "àèéìíòóùúá"

    def word(self, word: str) -> Phones:
        if "'" in word:  # l'amico, un'ora, c'è: the clitic has no stress
            head, _, tail = word.rpartition("'")
            return (*self._clitic(head), *(self.word(tail) if tail else ()))
        if word in _FOREIGN:
            return tuple(_FOREIGN[word].split())
        phones = _RULES(word)
        marked = any(phone.startswith(STRESS) for phone in phones)
        if word in _UNSTRESSED:
            return tuple(_CLOSE.get(phone, phone) for phone in phones)
        if not marked:
            if word in _IA:
                phones = _own_syllable(phones)
            stress_from_end(phones, _stressed_syllable(word))
            _open_vowel(word, phones)
        return tuple(_CLOSE.get(phone, phone) for phone in phones)

    def _clitic(self, head: str) -> list[str]:
        phones = _RULES(head.replace("'", ""))
        if head in ("c", "ce"):
            return ["tʃ"]
        if head in ("gl", "degl", "agl", "quegl"):
            return [*phones[:-2], "ʎ"] if head != "gl" else ["ʎ"]
        return phones

    def join(self, phrase: list[list[str]]) -> list[Phones]:
        flat = [(w, i) for w, phones in enumerate(phrase) for i in range(len(phones))]
        for (w, i), (v, j) in itertools.pairwise(flat):
            if phrase[w][i] == "n" and phrase[v][j] in ("k", "ɡ"):
                phrase[w][i] = "ŋ"
            elif phrase[w][i] == "n" and phrase[v][j] in ("p", "b", "m"):
                phrase[w][i] = "m"
        return [tuple(phones) for phones in phrase]


def _stressed_syllable(word: str) -> int:
    """The stressed syllable counted from the end, for a word without an accent."""
    if word in _EXTRA_THIRD:
        return 3
    if word in _SECOND or word in _UA or word in _IA:
        return 2
    if _THIRD.search(word):
        return 3
    if word[-1] not in "aeiou" or (word.endswith(("ai", "ei", "oi")) and len(word) > 3):
        return 1
    return 2


def _own_syllable(phones: list[str]) -> list[str]:
    """-ìa: the glide before the last vowel is a vowel; farmacia, bugia have lost their i to the consonant."""
    if len(phones) > 1 and phones[-2] in ("j", "w"):
        phones[-2] = {"j": "i", "w": "u"}[phones[-2]]
    elif len(phones) > 1 and phones[-2] in ("tʃ", "dʒ", "ʃ", "ʎ"):
        phones.insert(-1, "i")
    return phones


def _open_vowel(word: str, phones: list[str]) -> None:
    """Open ɛ or ɔ under the stress where the ending says so; antepenultimate e and o are mostly open."""
    vowels = nuclei(phones)
    at = next((i for i in vowels if phones[i].startswith(STRESS)), None)
    if at is None or phones[at][1:] not in _VOWEL_OF:
        return
    letter = phones[at][1:]
    third = len(vowels) >= 3 and at == vowels[-3]
    closed, pattern = (_CLOSED_E, _OPEN_E) if letter == "e" else (_CLOSED_O, _OPEN_O)
    if word in closed or word.endswith(
        ("mente", "mento", "menti", "etto", "etta", "etti", "ette", "ezza", "ezze")
    ):
        return
    if third or pattern.search(word):
        phones[at] = add_stress(_VOWEL_OF[letter])
