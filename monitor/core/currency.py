"""Currencies of ISO 4217: their decimals, and until when the withdrawn ones were money.

Lists one (current) and three (historic) as the maintenance agency published them on 2026-01-01.
Funds, metals and codes without a minor unit ("N.A.") are left out: nothing is booked in them.
"""

from datetime import UTC, datetime
from typing import Final, NamedTuple

_CURRENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN
        BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP
        GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT
        LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD
        XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""List one, by the number of decimals."""

_WITHDRAWN: Final = {
    0: """
        1981-12 ESA; 1990-03 BEC BEL LUC LUL; 1994-12 ESB; 2001-01 BYB;
        2002-03 BEF ESP GRD ITL LUF PTE; 2002-11 TPE; 2003-07 ADP; 2004-12 MGF; 2005-06 ROL;
        2005-12 TRL; 2017-01 BYR
    """,
    2: """
        1979-12 LAJ; 1981-12 GWE ILP MZE RHD; 1983-06 MTP; 1984-11 MLF; 1985-05 LSM;
        1985-07 ARP; 1986-02 GNS PES; 1986-03 BRB; 1986-06 GQE; 1987-02 BOP; 1987-05 UGS;
        1989-02 BRC; 1989-12 ALK GNE MVQ UYN ZWC; 1990-01 YUD; 1990-02 BUK; 1990-03 BRN;
        1990-09 DDM; 1990-10 NIC; 1990-12 ARY BGJ BGK CSJ ILR ISJ PEH ROK SUR UGW VNC;
        1991-03 AOK; 1991-07 PEI; 1992-01 ARA; 1993-01 MXP; 1993-03 BRE CSK UYP; 1993-07 LTT;
        1994-02 ZRZ; 1994-07 BRR; 1994-12 LVR; 1995-01 HRD; 1995-03 ZAL; 1995-10 GEK;
        1995-11 YUN; 1996-09 UAK; 1997-01 PLZ; 1997-05 GWP; 1998-06 SDP; 1998-07 BAD;
        1999-01 XEU; 1999-06 ZRN; 2000-02 AON AOR; 2000-09 ECS ECV; 2001-04 TJR;
        2002-03 ATS DEM FIM FRF IEP NLG; 2003-01 AFA; 2003-07 YUM; 2003-11 BGL; 2003-12 SRG;
        2004-01 RUR; 2004-11 CHC; 2005-10 AYM; 2005-12 AZM; 2006-06 MZM; 2006-09 ZWN;
        2006-10 CSD; 2007-01 SIT; 2007-06 GHP; 2007-07 SDD; 2008-01 CYP GHC MTL VEB;
        2008-08 ZWD; 2009-01 SKK TMM; 2009-06 ZWR; 2011-01 EEK; 2012-12 ZMK; 2014-01 LVL;
        2014-03 USS; 2014-12 LTL; 2017-12 MRO STD; 2018-08 VEF; 2021-06 CUC; 2023-01 HRK;
        2023-12 SLL; 2024-09 ZWL; 2025-03 ANG; 2026-01 BGN
    """,
    3: "1991-09 YDD",
}
"""List three, by the number of decimals and the month of withdrawal, through which a code is known.

Of a code that was withdrawn several times, or within a span, the last month counts. List three has
no decimals: they are those that list one had at the time.
"""

FOR_GOOD: Final = 1 << 62
"""The end of a currency that is money today, as an event time: later than any."""


class Currency(NamedTuple):
    """The decimals of a currency, and the event time from which on it is money no more."""

    exponent: int
    end: int


def _end_of(month: str) -> int:
    """Return the event time (microseconds since 1970) at which the month after YYYY-MM begins."""
    year, number = map(int, month.split("-"))
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(after.timestamp()) * 1_000_000


CURRENCIES: Final[dict[str, Currency]] = {
    code: Currency(exponent, FOR_GOOD)
    for exponent, codes in _CURRENT.items()
    for code in codes.split()
} | {
    code: Currency(exponent, _end_of(month))
    for exponent, months in _WITHDRAWN.items()
    for month, *codes in map(str.split, months.split(";"))
    for code in codes
}
"""Each currency that Weir knows, by its ISO 4217 code."""

NO_CURRENCY: Final = Currency(max(currency.exponent for currency in CURRENCIES.values()), -FOR_GOOD)
"""Of a code that is none: it was never money."""
