"""Names of currencies in all languages: symbol and code, then singular/plural of the unit and of its hundredth."""

from __future__ import annotations

from functools import cache

from speechx.text.locales.base import Currency

_LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
# symbols and codes | one column a language: one/many[,minor one/minor many]. An empty plural repeats the singular.
_TABLE = """
€ EUR|euro/euros,cent/cents|euro/euros,céntimo/céntimos|euro/euros,centime/centimes|euro/,cent/|euro/,centesimo/centesimi|euro/euros,centavo/centavos
$ US$ USD|dollar/dollars,cent/cents|dólar/dólares,centavo/centavos|dollar/dollars,cent/cents|dollar/,cent/|dollaro/dollari,centesimo/centesimi|dólar/dólares,centavo/centavos
£ GBP|pound/pounds,penny/pence|libra/libras,penique/peniques|livre/livres,penny/pence|pfund/,penny/pence|sterlina/sterline,penny/pence|libra/libras,pêni/pence
¥ JPY|yen/|yen/yenes|yen/yens|jen/|yen/|iene/ienes
R$ BRL|real/reais,cent/cents|real/reales,centavo/centavos|réal/réaux,centime/centimes|real/,cent/|real/,centesimo/centesimi|real/reais,centavo/centavos
CHF SFr|swiss franc/swiss francs,centime/centimes|franco suizo/francos suizos,céntimo/céntimos|franc suisse/francs suisses,centime/centimes|franken/,rappen/|franco svizzero/franchi svizzeri,centesimo/centesimi|franco suíço/francos suíços,cêntimo/cêntimos
₹ INR|rupee/rupees,paisa/paise|rupia/rupias,paisa/paisas|roupie/roupies,paisa/paisas|rupie/rupien,paisa/|rupia/rupie,paisa/|rupia/rupias,paisa/paisas
₽ RUB|ruble/rubles,kopeck/kopecks|rublo/rublos,kopek/kopeks|rouble/roubles,kopeck/kopecks|rubel/,kopeke/kopeken|rublo/rubli,copeco/copechi|rublo/rublos,copeque/copeques
₩ KRW|won/|won/wones|won/wons|won/|won/|won/wons
₺|lira/liras|lira/liras|livre turque/livres turques|lira/|lira/lire|lira/liras
₪ ILS|shekel/shekels|séquel/séqueles|shekel/shekels|schekel/|shekel/|shekel/shekels
₴ UAH|hryvnia/hryvnias|grivna/grivnas|hryvnia/hryvnias|hrywnja/|grivnia/grivnie|hryvnia/hryvnias
₫ VND|dong/|dong/dongs|dong/dongs|dong/|dong/|dong/dongs
₱|peso/pesos,centavo/centavos|peso/pesos,centavo/centavos|peso/pesos,centavo/centavos|peso/pesos,centavo/|peso/pesos,centavo/|peso/pesos,centavo/centavos
฿ THB|baht/|baht/bahts|baht/bahts|baht/|baht/|baht/bahts
₿ BTC|bitcoin/bitcoins|bitcoin/bitcoins|bitcoin/bitcoins|bitcoin/|bitcoin/|bitcoin/bitcoins
¢|cent/cents|centavo/centavos|cent/cents|cent/|centesimo/centesimi|centavo/centavos
CNY RMB|yuan/|yuan/yuanes|yuan/yuans|yuan/|yuan/|yuan/yuans
zł PLN|zloty/zlotys|esloti/eslotis|zloty/zlotys|zloty/|zloty/|zloty/zlotys
Kč CZK|czech koruna/czech korunas|corona checa/coronas checas|couronne tchèque/couronnes tchèques|krone/kronen|corona ceca/corone ceche|coroa tcheca/coroas tchecas
kr SEK NOK DKK|krona/kronor|corona/coronas|couronne/couronnes|krone/kronen|corona/corone|coroa/coroas
C$ CA$ CAD|canadian dollar/canadian dollars,cent/cents|dólar canadiense/dólares canadienses,centavo/centavos|dollar canadien/dollars canadiens,cent/cents|kanadischer dollar/kanadische dollar,cent/|dollaro canadese/dollari canadesi,centesimo/centesimi|dólar canadense/dólares canadenses,centavo/centavos
A$ AU$ AUD|australian dollar/australian dollars,cent/cents|dólar australiano/dólares australianos,centavo/centavos|dollar australien/dollars australiens,cent/cents|australischer dollar/australische dollar,cent/|dollaro australiano/dollari australiani,centesimo/centesimi|dólar australiano/dólares australianos,centavo/centavos
NZ$ NZD|new zealand dollar/new zealand dollars,cent/cents|dólar neozelandés/dólares neozelandeses,centavo/centavos|dollar néo-zélandais/dollars néo-zélandais,cent/cents|neuseeland dollar/,cent/|dollaro neozelandese/dollari neozelandesi,centesimo/centesimi|dólar neozelandês/dólares neozelandeses,centavo/centavos
HK$ HKD|hong kong dollar/hong kong dollars,cent/cents|dólar de hong kong/dólares de hong kong,centavo/centavos|dollar de hong kong/dollars de hong kong,cent/cents|hongkong dollar/,cent/|dollaro di hong kong/dollari di hong kong,centesimo/centesimi|dólar de hong kong/dólares de hong kong,centavo/centavos
MX$ MXN|mexican peso/mexican pesos,centavo/centavos|peso mexicano/pesos mexicanos,centavo/centavos|peso mexicain/pesos mexicains,centavo/centavos|mexikanischer peso/mexikanische peso,centavo/|peso messicano/pesos messicani,centavo/|peso mexicano/pesos mexicanos,centavo/centavos
"""  # fmt: skip


@cache
def currencies(language: str) -> dict[str, Currency]:
    """{'€': Currency('euro', ...), 'eur': ..., ...}: keys in small letters."""
    column = _LANGUAGES.index(language) + 1
    found: dict[str, Currency] = {}
    for line in _TABLE.strip().splitlines():
        cells = line.split("|")
        unit, _, minor = cells[column].partition(",")
        (one, many), (minor_one, minor_many) = (
            pair.split("/") if pair else ("", "") for pair in (unit, minor)
        )
        currency = Currency(one, many or one, minor_one, minor_many or minor_one)
        found |= {key.lower(): currency for key in cells[0].split()}
    return found


@cache
def symbols() -> tuple[str, ...]:
    """Every symbol and code of the table as it is written."""
    return tuple(key for line in _TABLE.strip().splitlines() for key in line.split("|")[0].split())
