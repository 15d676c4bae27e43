"""English (American)."""

from __future__ import annotations

from speechx.text.locales.base import Locale, by_thousands, pairs, self_named, table, units
from speechx.text.locales.currencies import currencies

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = [(f"one {name}", name) for name in ("million", "billion", "trillion", "quadrillion")]
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_MONTHS = tuple(
    "january february march april may june july august september october november december".split()
)


def _hundreds(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    hundreds, rest = divmod(n, 100)
    return f"{_ONES[hundreds]} hundred" + (f" {_hundreds(rest)}" if rest else "")


def cardinal(n: int, noun: bool = False) -> str:
    return by_thousands(n, _hundreds, "thousand", _SCALES, bare_thousand=False) or "zero"


def ordinal(n: int) -> str:
    *head, last = cardinal(n).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*head, last])


def year(n: int) -> str:
    if not 1100 <= n < 2100 or 2000 <= n < 2010:
        return cardinal(n)
    century, rest = divmod(n, 100)
    if rest == 0:
        return f"{_hundreds(century)} hundred"
    return f"{_hundreds(century)} {'oh ' if rest < 10 else ''}{_hundreds(rest)}"


def _date(day: int, month: int, n: int | None) -> str:
    return f"{_MONTHS[month - 1]} {ordinal(day)}" + (f" {year(n)}" if n is not None else "")


def _time(hour: int, minute: int) -> str:
    if minute == 0:
        return f"{cardinal(hour)} o'clock" if 0 < hour <= 12 else f"{cardinal(hour)} hundred"
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"


_UNITS = units(
    "en",
    """
l/100 km=liter per hundred kilometers/liters per hundred kilometers
km=kilometer/kilometers; m=meter/meters; cm=centimeter/centimeters; mm=millimeter/millimeters; mi=mile/miles
ft=foot/feet; in=inch/inches; yd=yard/yards; kg=kilogram/kilograms; g=gram/grams; mg=milligram/milligrams
lb=pound/pounds; lbs=pound/pounds; oz=ounce/ounces; l=liter/liters; ml=milliliter/milliliters
mph=mile per hour/miles per hour; km/h=kilometer per hour/kilometers per hour; °c=degree celsius/degrees celsius
°f=degree fahrenheit/degrees fahrenheit; °=degree/degrees; hz=hertz; khz=kilohertz; mhz=megahertz; ghz=gigahertz
kb=kilobyte/kilobytes; mb=megabyte/megabytes; gb=gigabyte/gigabytes; tb=terabyte/terabytes; kw=kilowatt/kilowatts
w=watt/watts; v=volt/volts; h=hour/hours; hr=hour/hours; hrs=hour/hours; min=minute/minutes; s=second/seconds
sec=second/seconds; ms=millisecond/milliseconds; m²=square meter/square meters; m2=square meter/square meters
km²=square kilometer/square kilometers; db=decibel/decibels; yr=year/years; yrs=year/years; mo=month/months; mos=month/months; wk=week/weeks; wks=week/weeks; am=A M; pm=P M; a.m.=A M; p.m.=P M
k=thousand; bn=billion
""",
)


def _fraction(top: int, bottom: int) -> str:
    one, many = {2: ("half", "halves"), 4: ("quarter", "quarters")}.get(
        bottom, (ordinal(bottom), f"{ordinal(bottom)}s")
    )
    return f"{cardinal(top)} {one if top == 1 else many}"


def _monarch(n: int, feminine: bool) -> str:
    return f"the {ordinal(n)}"


LOCALE = Locale(
    language="en",
    cardinal=cardinal,
    ordinal=ordinal,
    year=year,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
    decimal_mark=".",
    point="point",
    minus="minus",
    to="to",
    over="over",
    dot="dot",
    at="at",
    months=_MONTHS,
    symbols=table(
        "²=squared; ³=cubed; &=and; @=at; %=percent; +=plus; #=number; §=section; °=degrees; ×=times; ÷=divided by; "
        "~=about; ©=copyright; ™=trademark; *=star; ^=to the power of; "
        "½=one half; ¼=one quarter; ¾=three quarters; /=slash; \\=backslash; |=bar; µ=micro"
    )
    | table(
        "√=square root of; ≈=approximately; ≤=less than or equal to; ≥=greater than or equal to; ≠=is not equal to; ±=plus minus; ∞=infinity; π=pi; α=alpha; β=beta; "
        "γ=gamma; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=theta; ω=omega; →=to; ‰=per mille; ®=registered"
    )
    | {"=": "equals", "<": "less than", ">": "greater than", ";": ""},
    currencies=currencies("en"),
    units=_UNITS,
    abbreviations=table("""
mr.=mister; mr=mister; mrs.=missus; mrs=missus; ms.=miz; ms=miz; dr.=doctor; dr=doctor; prof.=professor; rev.=reverend
hon.=honorable; gen.=general; col.=colonel; capt.=captain; lt.=lieutenant; sgt.=sergeant; sen.=senator; gov.=governor
jr.=junior; jr=junior; sr.=senior; sr=senior; st.=saint; ave.=avenue; blvd.=boulevard; rd.=road; mt.=mount; ft.=fort
vs.=versus; vs=versus; etc.=et cetera; etc=et cetera; e.g.=for example; i.e.=that is; no.=number; nos.=numbers
vol.=volume; fig.=figure; pp.=pages; p.=page; ch.=chapter; ed.=edition; approx.=approximately; dept.=department
est.=established; al.=al; rep.=representative; pres.=president; adm.=admiral; cmdr.=commander; supt.=superintendent; atty.=attorney; cpl.=corporal; pvt.=private; cf.=compare; dist.=district; min.=minimum; max.=maximum; govt.=government; univ.=university; inc.=incorporated; ltd.=limited; co.=company; corp.=corporation; jan.=january; feb.=february
mar.=march; apr.=april; jun.=june; jul.=july; aug.=august; sept.=september; sep.=september; oct.=october
nov.=november; dec.=december; mon.=monday; tue.=tuesday; wed.=wednesday; thu.=thursday; fri.=friday; sat.=saturday
a.m.=A M; p.m.=P M; ph.d.=P H D; messrs.=messers; w/=with; w/o=without; b/c=because; esq.=esquire; maj.=major
"""),
    letters=self_named(),
    spelled=frozenset(
        "US UK EU UN IT TV AI PC ID PM AM CD DVD IP OS LA CT ER WHO"
        " DVD USA CIA FBI IBM BBC CNN ATM CEO DNA RNA GPS PDF URL IQ".split()
    ),
    ordinal_marks="st|nd|rd|th",
    month_first=True,
    scales=pairs(
        "k=thousand; K=thousand; M=million; m=million; mn=million; mm=million; B=billion; b=billion; bn=billion; T=trillion; tn=trillion"
    ),
    joined="and",
    by="by",
    before_number=table("""
est.=established; no.=number; nos.=numbers; fig.=figure; figs.=figures; p.=page; pp.=pages; vol.=volume; vols.=volumes; ch.=chapter
chap.=chapter; sec.=section; art.=article; ed.=edition; pt.=part; eq.=equation; par.=paragraph; ex.=example; op.=opus
apt.=apartment; ste.=suite; rm.=room; bldg.=building; fl.=floor; hwy.=highway; hwy=highway; rte.=route; tab.=table; v.=version
apt=apartment; ste=suite; pg.=page; ext.=extension; ext=extension
"""),
    phone_words=frozenset(
        "call dial phone telephone tel fax mobile cell text ring whatsapp number at on hotline".split()
    )
    - {"at", "on", "number"},
    counted=frozenset(
        "chapter part war book volume act section figure table type class phase stage level vol scene article world "
        "division title appendix unit mark apollo bowl grade book tier step round season episode category schedule "
        "factor area sector zone group plan".split()
    )
    - {"plan"},
    regnal_names=frozenset(
        "charles elizabeth henry james george william edward richard francis nicholas alexander peter frederick leopold "
        "napoleon paul louis philip albert alfonso ferdinand isabella catherine mary margaret benedict pius gregory leo "
        "clement innocent urban john robert david harald olaf gustav christian wilhelm otto ramses ptolemy darius cyrus "
        "king queen pope emperor tsar prince sultan pharaoh".split()
    ),
    address_marks=table(
        "_=underscore; -=dash; /=slash; ?=question mark; &=and; #=hash; %=percent; +=plus; ~=tilde; :=colon"
    )
    | {"=": "equals", "\\": "backslash"},
)
