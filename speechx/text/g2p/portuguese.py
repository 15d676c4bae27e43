"""Portuguese of Brazil: spelling rules; open e and o by endings and a list of common words."""

from __future__ import annotations

import itertools
import re

from speechx.text.g2p.base import Phones, RewriteRules, RuleG2P, nuclei, stress_from_end
from speechx.text.phones import STRESS

# 'V' in comments is a vowel. Nasal vowels come from a til or from m, n before a consonant or at the end.
_RULES = RewriteRules("""
ch -> ʃ
lh -> ʎ
nh -> ɲ
rr -> x
^r -> x
(?<=[nlsm])r -> x
r -> ɾ
qu(?=[eiéêí]) -> k
qü -> k w
qu(?=[aoáâãó]) -> k w
q -> k
gu(?=[eiéêí]) -> ɡ
gü -> ɡ w
gu(?=[aoáâãó]) -> ɡ w
g(?=[eiéêí]) -> ʒ
g -> ɡ
sç -> s
sc(?=[eiéêí]) -> s
xc(?=[eiéêí]) -> s
c(?=[eiéêí]) -> s
ç -> s
c -> k
ss -> s
sh -> ʃ
(?<=[aeiouáéíóúâêôãõ])s(?=[aeiouáéíóúâêôãõh]) -> z
s(?=[bdgjlmnrvz]) -> z
s -> s
z$ -> s
z -> z
^ex(?=[aeiouáéíóúâêô]) -> e z
^inex(?=[aeiouáéíóúâêô]) -> i n e z
x(?=[ptcq]) -> s
x$ -> k s
x -> ʃ
j -> ʒ
h ->
w -> w
y -> i
k -> k
t(?=[iíyî]) -> tʃ
t(?=es?$) -> tʃ
t -> t
d(?=[iíyî]) -> dʒ
d(?=es?$) -> dʒ
d -> d
p -> p
b -> b
f -> f
v -> v
ll -> l
l(?![aeiouáéíóúâêôãõàh]) -> w
l -> l
ão -> ˈɐ̃ w̃
ãe -> ˈɐ̃ j̃
õe -> ˈõ j̃
ã -> ˈɐ̃
õ -> ˈõ
êm$ -> ˈẽ j̃
ém$ -> ˈẽ j̃
éns$ -> ˈẽ j̃ s
am$ -> ɐ̃ w̃
em$ -> ẽ j̃
ens$ -> ẽ j̃ s
muit -> m ũ j̃ t
[âá][mn](?![aeiouáéíóúâêôãõh]) -> ˈɐ̃
[êé][mn](?![aeiouáéíóúâêôãõh]) -> ˈẽ
[í][mn](?![aeiouáéíóúâêôãõh]) -> ˈĩ
[ôó][mn](?![aeiouáéíóúâêôãõh]) -> ˈõ
[ú][mn](?![aeiouáéíóúâêôãõh]) -> ˈũ
a[mn](?![aeiouáéíóúâêôãõh]) -> ɐ̃
e[mn](?![aeiouáéíóúâêôãõh]) -> ẽ
i[mn](?![aeiouáéíóúâêôãõh]) -> ĩ
o[mn](?![aeiouáéíóúâêôãõh]) -> õ
u[mn](?![aeiouáéíóúâêôãõh]) -> ũ
m -> m
n -> n
á -> ˈa
à -> a
â -> ˈɐ
é -> ˈɛ
ê -> ˈe
í -> ˈi
ó -> ˈɔ
ô -> ˈo
ú -> ˈu
ü -> w
(?<=[aeoáéóâêô])i(?![mnz]$|nh|r$|l$) -> j
(?<=[^qg]u)i(?![mnz]$|nh|r$|l$) -> j
(?<=[aeoáéóâêôi])u(?![mnz]$|nh|r$|l$) -> w
i(?=[aeo]s?$) -> i
a -> a
e -> e
i -> i
o -> o
u -> u
""")

_UNSTRESSED = frozenset(
    "o a os as um uns de do da dos das em no na nos nas por pelo pela pelos pelas para com sem e ou que se me te lhe "
    "lhes mas ao aos à às num numa meu minha seu sua".split()
) - {"meu", "minha", "seu", "sua"}
_FINAL = re.compile(r"(?:[aeo]s?|am|em|ens)$")
_REDUCED = {"a": "ɐ", "e": "i", "o": "u"}
_SPECIAL: dict[str, str] = {
    "e": "i", "é": "ˈɛ", "o": "u", "a": "a", "à": "a", "às": "a s", "os": "u s", "as": "a s", "de": "dʒ i", "do": "d u", "da": "d a",
    "que": "k i", "se": "s i", "me": "m i", "te": "tʃ i", "por": "p o ɾ", "para": "p a ɾ a", "um": "ũ", "em": "ẽ j̃",
    "muito": "m ˈũ j̃ t u", "muita": "m ˈũ j̃ t ɐ", "muitos": "m ˈũ j̃ t u s", "muitas": "m ˈũ j̃ t ɐ s",
    "táxi": "t ˈa k s i", "fixo": "f ˈi k s u", "fixa": "f ˈi k s ɐ", "sexo": "s ˈɛ k s u", "tóxico": "t ˈɔ k s i k u",
    "próximo": "p ɾ ˈɔ s i m u", "próxima": "p ɾ ˈɔ s i m ɐ", "próximos": "p ɾ ˈɔ s i m u s", "máximo": "m ˈa s i m u",
    "trouxe": "t ɾ ˈo s i", "trouxeram": "t ɾ o s ˈɛ ɾ ɐ̃ w̃", "auxílio": "a w s ˈi l i u", "reflexo": "x e f l ˈɛ k s u",
    "anexo": "a n ˈɛ k s u", "complexo": "k õ p l ˈɛ k s u", "conexão": "k o n e k s ˈɐ̃ w̃", "oxigênio": "o k s i ʒ ˈe n i u",
    "obséquio": "o b z ˈɛ k i u", "mãe": "m ˈɐ̃ j̃", "e-mail": "i m ˈe j w", "subsídio": "s u b s ˈi dʒ i u",
}  # fmt: skip

_OPEN_WORDS = frozenset(
    "ela elas dela delas nela nelas aquela aquelas essa essas esta estas era eram sete dez café pé fé mulher "
    "mulheres quer qualquer colher papel hotel cruel fiel anel mel céu janela panela novela capela tela vela "
    "bela belas belo belos velha velho velhos velhas pele leve leves neve breve aberto aberta certo certa "
    "certos certas perto deserto oferta terra terras guerra guerras serra festa festas resto resta testa "
    "floresta modesto honesto moderno moderna inferno inverno caderno governo interno externo eterna eterno "
    "quero espera esperar espero conversa versa serve verso universo diverso inverso peça peças pressa médico "
    "ideia ideias europeia teto objeto projeto completo completa correto direto direta secreto alfabeto "
    "concreto beco eco época metro zero começa começam leva levam pega pegam nega negam entrega prega cega "
    "colega alegre atlético férias série séries sério matéria história memória glória vitória agora hora horas "
    "fora mora moram demora adora chora embora flora aurora melhora nora pora escola escolas bola bolas cola "
    "esmola viola mola sola gola pistola sol futebol lençol espanhol caracol farol nova novas novos ovos jogos "
    "porta portas morta importa corta volta voltam revolta forte fortes norte sorte morte esporte transporte "
    "porte nota notas rota foto fotos moto motos voto roda moda pode podem sofá nossa nossas vossa poça troca "
    "toca loja lojas relógio psicólogo obra obras sobra cobra dobra pobre pobres cobre nobre objetos rosa "
    "rosas prosa famosa gostosa bondosa preciosa melhor pior maior menor só pó avó nó dó copo copos corpos "
    "povos postos portos cofre gosta gostam mostra mostram aposta proposta resposta respostas encosta costas "
    "costa bosta posta óleo código próprio lógico modo modos ódio ópera órgão propósito negócio negócios sócio "
    "remédio prédio prédios tédio intermédio".split()
)


class PortugueseG2P(RuleG2P):
    """Phones of Brazilian Portuguese: t, d soften before i; final e, o close; final l is w; initial r is x."""

    letters = "áéíóúâêôãõàçü"

    def word(self, word: str) -> Phones:
        word = word.replace("'", "")
        if word in _SPECIAL:
            return tuple(_SPECIAL[word].split())
        phones = _RULES(word)
        if phones.count("ˈɐ̃") + sum(phone.startswith(STRESS) for phone in phones) > 1:
            phones = _one_stress(phones)
        marked = any(phone.startswith(STRESS) for phone in phones)
        if not marked and word not in _UNSTRESSED:
            stress_from_end(phones, 2 if _FINAL.search(word) else 1)
            if word in _OPEN_WORDS:
                phones = [{"ˈe": "ˈɛ", "ˈo": "ˈɔ"}.get(phone, phone) for phone in phones]
            phones = _nasal(phones)
        return tuple(_reduce(word, phones))

    def join(self, phrase: list[list[str]]) -> list[Phones]:
        """A final s is voiced before a voiced sound: os‿amigos."""
        for phones, following in itertools.pairwise(phrase):
            if phones and following and phones[-1] == "s" and following[0] in _VOICED:
                phones[-1] = "z"
        return [tuple(phones) for phones in phrase]


_VOICED = frozenset(("b", "d", "ɡ", "v", "z", "ʒ", "m", "n", "ɲ", "l", "ʎ", "dʒ", "a", "ˈa", "e", "ˈe", "ɛ", "ˈɛ", "i", "ˈi", "o",
                     "ˈo", "ɔ", "ˈɔ", "u", "ˈu"))  # fmt: skip


def _nasal(phones: list[str]) -> list[str]:
    """A stressed a before m, n, ɲ is nasal in Brazil: cama, vamos, ano."""
    pairs = zip(phones, [*phones, ""][1:], strict=True)
    return ["ˈɐ̃" if phone == "ˈa" and after in ("m", "n", "ɲ") else phone for phone, after in pairs]


def _one_stress(phones: list[str]) -> list[str]:
    """órgão, irmãmente: with two marks the one that is not a til counts."""
    marks = [i for i, phone in enumerate(phones) if phone.startswith(STRESS)]
    keep = next((i for i in marks if "\u0303" not in phones[i]), marks[-1])
    return [phone if i == keep else phone.removeprefix(STRESS) for i, phone in enumerate(phones)]


def _reduce(word: str, phones: list[str]) -> list[str]:
    """Unstressed final a, e, o sound as ɐ, i, u."""
    vowels = nuclei(phones)
    if not vowels or not re.search(r"[aeo]s?$", word):
        return phones
    last = vowels[-1]
    if not phones[last].startswith(STRESS) and len(phones) - last <= 2:
        phones[last] = _REDUCED.get(phones[last], phones[last])
        if phones[last] == "i" and last and phones[last - 1] in ("t", "d"):
            phones[last - 1] = {"t": "tʃ", "d": "dʒ"}[phones[last - 1]]
    return phones
