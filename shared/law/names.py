"""What facts, holds, notices and other codes are called in the sentences that a supervisor reads, in two languages.

Codes stand in a decision's `inputs` and `missing`; sentences are made with these names alone.
"""

from collections.abc import Iterable

from shared.law.terms import (
    Conduct,
    ConsentScope,
    Document,
    HoldReason,
    NoticeKind,
    OtherGround,
    PersonMet,
    PlaceType,
    QuietReason,
)

Name = tuple[str, str]

FACTS: dict[str, Name] = {
    "purpose": ("the purpose of the visit", "訪視目的"),
    "address_verified": ("whether the address was verified", "地址是否經查證"),
    "accuracy_m": ("the exactness of the position", "定位精確度"),
    "agency_listed": ("whether the agency is on the lender's list", "受託機構是否列於債權人名單"),
    "agency_reviewed_on": ("the day of the agency's last review", "受託機構最近評估日"),
    "asked_to_leave": ("whether the team was asked to leave", "是否曾經要求離開"),
    "authority_shown": ("whether the authorisation letter was shown", "是否出示委託文件"),
    "calls": ("the calls so far", "歷次致電紀錄"),
    "calls_effective_today": ("the effective calls of today", "今日有效通話次數"),
    "calls_unanswered_today": ("the unanswered calls of today", "今日未接通次數"),
    "carried": ("the papers that the team carries", "外訪員攜帶之文件"),
    "clock_offset_seconds": ("the error of the phone's clock", "手機時間誤差"),
    "collectors": ("who goes", "外訪人員"),
    "contact_visits": ("the visits so far", "歷次面見紀錄"),
    "conversations": ("the telephone conversations so far", "歷次通話紀錄"),
    "country": ("the country of the address", "地址所在國家"),
    "credentials_shown": ("whether credentials were shown", "是否出示工作證件"),
    "distance_m": ("the distance from the address", "距地址之距離"),
    "employer_forbids": ("whether the employer forbids contact", "雇主是否禁止接觸"),
    "fees_taken": ("whether fees were taken", "是否收取費用"),
    "hazard": ("whether the address lies in a hazard zone", "地址是否位於危險區域"),
    "indoor": ("whether the team was indoors", "是否進入室內"),
    "inquiry": ("what the third party would be asked", "洽詢第三人之內容"),
    "left_at": ("when the team left", "離去時間"),
    "mock_location": ("whether the position is made up", "定位是否虛擬"),
    "notices": ("which notices were sent", "已寄發之通知"),
    "person_met": ("who the other party is", "對方身分"),
    "product": ("the product of the debt", "債務產品別"),
    "recordings": ("a recording of the visit", "外訪錄音錄影"),
    "third_party_data": ("whether data of third parties are in the file", "檔案是否含第三人資料"),
    "transferred": ("whether the debt was transferred", "債權是否經移轉"),
    "willing_now": ("whether the customer is willing to talk now", "客戶當下是否願意談話"),
}

# What must be so, and is not.
SHOWN: dict[str, Name] = {
    "credentials_shown": ("credentials were shown", "已出示工作證件"),
    "authority_shown": ("the authorisation letter was shown", "已出示委託文件"),
    "recordings": ("the visit was recorded", "外訪已錄音錄影"),
    "address_verified": ("the address was verified", "地址已查證"),
    "agency_listed": ("the agency is on the lender's list", "受託機構列於債權人名單"),
    "willing_now": ("the customer was willing to talk", "客戶當下願意談話"),
    "left_at": ("the team left, and when", "外訪員離去及其時間"),
    "consent:ENTRY": ("entry was consented to", "已獲進入之同意"),
    "consent:DEBTOR_REQUEST": ("the debtor agreed to the visit", "債務人同意此次訪視"),
    "consent:COURT_ORDER": ("a court ordered it", "已有法院命令"),
}

# What must not be, once it is known to be so.
FOUND: dict[str, Name] = {
    "third_party_data": ("data of third parties are in the file", "檔案含第三人資料"),
    "hazard": ("the address lies in a hazard zone", "地址位於危險區域"),
    "fees_taken": ("fees were taken", "收取費用"),
}

COLLECTORS: dict[str, Name] = {
    "cleared": ("whether each collector is cleared", "外訪員是否經核可"),
    "violent_crime_record": ("whether each collector is free of violent crime", "外訪員有無暴力犯罪紀錄"),
    "bad_credit": ("whether each collector is free of bad credit", "外訪員有無信用不良紀錄"),
    "confidentiality_agreement": ("whether each collector has signed to keep secrets", "外訪員是否簽有保密協議"),
    "experience": ("whether each collector has experience", "外訪員是否具催收經驗"),
    "last_assessed_on": ("the day of each collector's last assessment", "外訪員最近考核日"),
}

# How a fact is recorded that no desk or phone records.
_AGENCY: Name = ("Record it: PUT /cases/v1/lenders/{id}/agency.", "請登錄：PUT /cases/v1/lenders/{id}/agency。")
_AGREED: Name = (
    "Record the debtor's agreement as a consent DEBTOR_REQUEST that runs until the visit ends, or plan a FOLLOW_UP "
    "visit after the promise has ended.",
    "請將債務人之同意登錄為效期及於訪視結束之 DEBTOR_REQUEST，或於承諾結束後改排 FOLLOW_UP 訪視。",
)
REMEDIES: dict[str, Name] = {
    "agency_listed": _AGENCY,
    "agency_reviewed_on": _AGENCY,
    "consent:DEBTOR_REQUEST": _AGREED,
}

# What stands against a collector, once it is known.
AGAINST: dict[str, Name] = {
    "violent_crime_record": ("a record of violent crime", "有暴力犯罪紀錄"),
    "bad_credit": ("bad credit", "信用不良"),
    "confidentiality_agreement": ("no confidentiality agreement", "未簽保密協議"),
    "experience": ("no experience in collection", "無催收經驗"),
    "certified": ("no certificate that is valid on the day", "當日無有效證照"),
    "last_assessed_on": ("no assessment that is recent enough", "考核已逾期"),
}

HOLDS: dict[str, Name] = {
    HoldReason.COMPLAINT_PENDING: ("a complaint is pending", "申訴處理中"),
    HoldReason.DISPUTE_PENDING: ("the debt is disputed", "債務有爭議"),
    HoldReason.HARDSHIP_REVIEW: ("hardship is under review", "困難狀況審查中"),
    HoldReason.VULNERABLE_CUSTOMER: ("the debtor may be vulnerable", "債務人疑屬弱勢"),
    HoldReason.PROMISE_ACTIVE: ("a promise to pay is running", "承諾還款期間"),
    HoldReason.ARRANGEMENT_ACTIVE: ("an arrangement is running", "分期協議履行中"),
    HoldReason.SETTLEMENT_OPEN: ("a settlement is being negotiated", "和解協商中"),
    HoldReason.PAYMENT_UNCONFIRMED: ("a payment is not yet confirmed", "款項待確認"),
    HoldReason.INSOLVENCY: ("the debtor is insolvent", "債務人已進入破產或清算"),
    HoldReason.DECEASED: ("the debtor has died", "債務人已歿"),
    HoldReason.BEREAVEMENT_OR_CALAMITY: ("there is a bereavement or a calamity", "喪事或災難"),
    HoldReason.LEGAL_PROCEEDING: ("legal proceedings are under way", "法律程序進行中"),
    HoldReason.REPRESENTED: ("an attorney represents the debtor", "債務人已委任律師"),
    HoldReason.CEASE_REQUEST: ("the debtor asked that contact end", "債務人要求停止接觸"),
    HoldReason.IDENTITY_OR_FRAUD_REVIEW: ("identity or fraud is under review", "身分或詐欺疑義查核中"),
    HoldReason.ADDRESS_UNVERIFIED: ("the address is not verified", "地址未經查證"),
    HoldReason.SAFETY_RISK: ("it would not be safe", "有安全疑慮"),
    HoldReason.CONDUCT_INVESTIGATION: ("conduct is under investigation", "行為調查中"),
    HoldReason.LENDER_INSTRUCTION: ("the lender has said so", "債權人指示"),
    HoldReason.LENDER_RECALL: ("the lender has recalled the case", "債權人召回案件"),
}

NOTICES: dict[str, Name] = {
    NoticeKind.PRIOR_NOTICE: ("the lender's prior notice", "債權人之事前通知"),
    NoticeKind.VALIDATION: ("the validation notice", "債務確認通知"),
    NoticeKind.VISIT: ("the notice of the visit", "訪視通知"),
    NoticeKind.AGENT: ("the notice of the agent's details", "受託機構資料通知"),
    NoticeKind.TRANSFER: ("the notice of the transfer", "債權移轉通知"),
}

CONDUCT: dict[str, Name] = {
    Conduct.NOTICE_POSTED: ("a notice was posted", "張貼催收文件"),
    Conduct.PROPERTY_TAKEN: ("property was taken", "取走財物"),
    Conduct.BORROWING_URGED: ("the debtor was urged to borrow", "誘導借款還債"),
    Conduct.DEBT_DISCLOSED: ("the debt was disclosed to others", "向他人揭露債務"),
}

DOCUMENTS: dict[str, Name] = {
    Document.IDENTITY_CARD: ("the identity card", "識別證"),
    Document.NOTICE: ("the notice", "通知"),
    Document.AUTHORISATION_LETTER: ("the authorisation letter", "授權書"),
}

GROUNDS: dict[str, Name] = {
    ConsentScope.HOURS: ("the debtor's consent to the hour", "債務人對時段之同意"),
    ConsentScope.DEBTOR_REQUEST: ("the debtor's request", "債務人之要求"),
    ConsentScope.ENTRY: ("the consent to enter", "進入之同意"),
    ConsentScope.PLACE: ("the debtor's consent to the place", "債務人對地點之同意"),
    ConsentScope.HOME_VISIT: ("the debtor's written consent to a visit at home", "債務人對住家訪視之書面同意"),
    ConsentScope.DISPUTE_VISIT: ("the debtor's consent to a visit during the dispute", "債務人對爭議期間訪視之同意"),
    OtherGround.SAFETY_PLAN: ("a supervisor's safety plan", "主管核定之安全計畫"),
    OtherGround.NOTICE_NOT_PRACTICABLE: ("the reason why no notice was practicable", "無法事前通知之理由"),
    OtherGround.COURT_ORDER: ("a court order", "法院命令"),
}

QUIET: dict[str, Name] = {
    QuietReason.BREATHING_SPACE: ("breathing space", "喘息期間"),
    QuietReason.BEREAVEMENT: ("bereavement", "喪事"),
    QuietReason.CALAMITY: ("calamity", "災難"),
    QuietReason.WEDDING: ("wedding", "婚禮"),
    QuietReason.FESTIVAL: ("festival", "節慶"),
}

PLACES: dict[str, Name] = {
    PlaceType.HOME: ("the home", "住家"),
    PlaceType.WORKPLACE: ("the workplace", "工作場所"),
    PlaceType.BUSINESS: ("the debtor's business", "營業處所"),
    PlaceType.SCHOOL: ("a school", "學校"),
    PlaceType.HOSPITAL: ("a hospital", "醫院"),
    PlaceType.OTHER: ("another place", "其他地點"),
}

PERSONS: dict[str, Name] = {
    PersonMet.DEBTOR: ("the debtor", "債務人"),
    PersonMet.CO_DEBTOR: ("a co-debtor", "共同債務人"),
    PersonMet.GUARANTOR: ("a guarantor", "保證人"),
    PersonMet.AUTHORISED_REPRESENTATIVE: ("an authorised representative", "授權代理人"),
    PersonMet.THIRD_PARTY: ("a third party", "第三人"),
    PersonMet.NONE: ("nobody", "無人"),
}


def name_of(fact: str) -> Name:
    """The name of a fact as rules ask for it: a field of Facts, or `notices.…`, `consent:…`, `collectors.…`."""
    for prefix, names in (("notices.", NOTICES), ("consent:", GROUNDS), ("collectors.", COLLECTORS)):
        if fact.startswith(prefix):
            return names[fact.removeprefix(prefix)]
    return FACTS[fact]


def listed(names: Iterable[Name]) -> Name:
    """Several names in a row."""
    found = list(names)
    return ", ".join(en for en, _ in found), "、".join(zh for _, zh in found)
