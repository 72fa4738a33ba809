"""Codes and values in words, zh (traditional) and en. A code that has no words here is shown as it is."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

Language = Literal["zh", "en"]
_PLACE = {"zh": 0, "en": 1}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
NOTHING = "—"

CODES: dict[str, tuple[str, str]] = {
    # who acted
    "supervisor": ("督導", "supervisor"),
    "collector": ("外訪員", "collector"),
    "compliance": ("法遵人員", "officer"),
    "admin": ("管理員", "administrator"),
    "caller": ("電催人員", "caller"),
    "lender": ("委託機構", "lender"),
    "service": ("系統服務", "service"),
    "system": ("系統", "system"),
    # Step, Verdict
    "INTAKE": ("收案", "intake"),
    "PLAN": ("排程", "planning"),
    "DISPATCH": ("派遣", "dispatch"),
    "CHECK_IN": ("到場簽到", "check-in"),
    "COMPLETION": ("完成", "completion"),
    "CALL": ("電話", "call"),
    "pass": ("通過", "pass"),
    "warn": ("警示", "warn"),
    "block": ("攔阻", "block"),
    # Phase, RecallReason
    "PAID": ("已清償", "paid"),
    "ABSENT": ("不在委託檔案中", "no longer in the lender's file"),
    "RECALLED": ("已撤案", "recalled by the lender"),
    "RETURNED": ("已退案", "returned to the lender"),
    "SETTLED_WITH_LENDER": ("已與債權人和解", "settled with the lender"),
    "SOLD": ("債權已出售", "the debt was sold"),
    "LEGAL_ACTION": ("進入法律程序", "legal action"),
    "COMPLAINT": ("申訴", "a complaint"),
    "PLACED_IN_ERROR": ("誤委", "placed in error"),
    "STRATEGY": ("策略調整", "a change of strategy"),
    # Terms of promises
    "CALENDAR": ("日曆日", "calendar days"),
    "WORKING": ("營業日", "working days"),
    "END": ("承諾終止", "ends the promise"),
    "CONTINUE": ("承諾續行", "lets the promise go on"),
    # VisitPurpose, PersonMet
    "DEMAND": ("催收", "demand for payment"),
    "AGREED_REVISIT": ("約定回訪", "agreed revisit"),
    "HARDSHIP_REVIEW": ("困難審查", "hardship review"),
    "PICKUP": ("收款", "pickup"),
    "FOLLOW_UP": ("後續訪視", "follow-up"),
    "DEBTOR": ("債務人", "the debtor"),
    "CO_DEBTOR": ("共同債務人", "a co-debtor"),
    "GUARANTOR": ("保證人", "a guarantor"),
    "AUTHORISED_REPRESENTATIVE": ("授權代表", "an authorised representative"),
    "THIRD_PARTY": ("第三人", "a third party"),
    "NONE": ("無人", "nobody"),
    # Disposition
    "PAID_IN_FULL": ("全額清償", "paid in full"),
    "PAID_PARTIAL": ("部分清償", "paid in part"),
    "PROMISE_TO_PAY": ("承諾還款", "promise to pay"),
    "ARRANGEMENT_REQUESTED": ("要求分期", "instalments asked for"),
    "SETTLEMENT_REQUESTED": ("要求和解", "settlement asked for"),
    "CLAIMS_PAID": ("主張已還", "says it is paid"),
    "UNABLE_TO_PAY": ("無力償還", "unable to pay"),
    "REFUSED_TO_PAY": ("拒絕還款", "refused to pay"),
    "DISPUTES_DEBT": ("爭執債務", "disputes the debt"),
    "COMPLAINT_RAISED": ("提出申訴", "complained"),
    "CEASE_REQUESTED": ("要求停止聯絡", "asked to be left alone"),
    "RESCHEDULE_REQUESTED": ("要求改期", "asked for another day"),
    "NO_COMMITMENT": ("未表態", "no commitment"),
    "THIRD_PARTY_NO_DISCLOSURE": ("遇第三人，未揭露", "third party, nothing disclosed"),
    "WRONG_PARTY": ("非本人", "wrong person"),
    "DECEASED_REPORTED": ("據稱已故", "reported dead"),
    "INCAPACITY_REPORTED": ("據稱無行為能力", "reported incapable"),
    "NO_ANSWER": ("無人應門", "no answer"),
    "PREMISES_LOCKED": ("門鎖", "premises locked"),
    "MOVED_AWAY": ("已遷離", "moved away"),
    "ADDRESS_NOT_FOUND": ("查無此址", "address not found"),
    "ACCESS_DENIED": ("無法進入", "no access"),
    "SAFETY_ABORT": ("因安全中止", "broken off for safety"),
    "RULE_BLOCKED": ("因規則攔阻", "blocked by a rule"),
    "ROUTE_OVERRUN": ("行程不及", "route overran"),
    "COLLECTOR_UNAVAILABLE": ("外訪員無法出勤", "collector unavailable"),
    "CANCELLED_PAID": ("已還款而取消", "cancelled: paid"),
    "CANCELLED_RECALL": ("已撤案而取消", "cancelled: recalled"),
    # MissedReason, VisitStatus
    "NOT_DISPATCHED": ("未派遣", "no team was sent"),
    "NO_CHECK_IN": ("無人報到", "no check-in"),
    "CHECK_IN_INCOMPLETE": ("報到人數不足", "too few checked in"),
    "PLANNED": ("已排定", "planned"),
    "DISPATCHED": ("已派遣", "dispatched"),
    "EN_ROUTE": ("前往中", "under way"),
    # HoldReason, HoldScope
    "COMPLAINT_PENDING": ("申訴處理中", "complaint pending"),
    "DISPUTE_PENDING": ("爭議處理中", "dispute pending"),
    "VULNERABLE_CUSTOMER": ("弱勢客戶", "vulnerable customer"),
    "PROMISE_ACTIVE": ("承諾履行中", "promise active"),
    "ARRANGEMENT_ACTIVE": ("分期履行中", "arrangement active"),
    "SETTLEMENT_OPEN": ("和解進行中", "settlement open"),
    "PAYMENT_UNCONFIRMED": ("款項待確認", "payment unconfirmed"),
    "INSOLVENCY": ("債務清理", "insolvency"),
    "DECEASED": ("已故", "deceased"),
    "BEREAVEMENT_OR_CALAMITY": ("喪事或災變", "bereavement or calamity"),
    "LEGAL_PROCEEDING": ("訴訟中", "legal proceeding"),
    "REPRESENTED": ("已委任代理人", "represented"),
    "CEASE_REQUEST": ("要求停止聯絡", "request to cease"),
    "IDENTITY_OR_FRAUD_REVIEW": ("身分或詐欺審查", "identity or fraud review"),
    "ADDRESS_UNVERIFIED": ("地址未查證", "address unverified"),
    "SAFETY_RISK": ("安全疑慮", "safety risk"),
    "CONDUCT_INVESTIGATION": ("行為調查", "conduct investigation"),
    "LENDER_INSTRUCTION": ("委託機構指示", "lender's instruction"),
    "LENDER_RECALL": ("委託機構撤案", "lender's recall"),
    "visit": ("外訪", "visits"),
    "call": ("電話", "calls"),
    "all": ("一切聯絡", "all contact"),
    # notices, products, reasons to read, reasons of followup
    "LETTER": ("書信", "letter"),
    "EMAIL": ("電子郵件", "e-mail"),
    "SMS": ("簡訊", "SMS"),
    "IN_PERSON": ("當面", "in person"),
    "IN_WRITING": ("書面", "in writing"),
    "PRIOR_NOTICE": ("委外催收事前通知", "prior notice"),
    "VALIDATION": ("債務確認通知", "validation notice"),
    "VISIT_NOTICE": ("外訪通知", "notice of a visit"),
    "TRANSFER": ("債權移轉通知", "notice of the transfer"),
    "AGENT": ("受託人通知", "notice of the agent"),
    "CREDIT_CARD": ("信用卡", "credit card"),
    "PERSONAL_LOAN": ("信用貸款", "personal loan"),
    "VISIT": ("外訪", "a visit"),
    "REVIEW": ("審閱", "a review"),
    "PLANNING": ("排程", "planning"),
    "SEARCH": ("查詢", "a search"),
    "PROMISE_BROKEN": ("承諾未履行", "promise broken"),
    "PROMISE_PARTIALLY_KEPT": ("承諾部分履行", "promise kept in part"),
    "AGREED_ANEW": ("另行約定", "agreed anew"),
    "RECORDED_IN_ERROR": ("登錄有誤", "recorded in error"),
    "HARDSHIP": ("生活困難", "hardship"),
    "ACCOUNTS_RECALLED": ("委託機構撤回帳戶", "the lender took back its accounts"),
    "CANDIDATE": ("應徵中", "candidate"),
    "ACTIVE": ("可派遣", "cleared"),
    "SUSPENDED": ("停派", "suspended"),
    "LEFT": ("離職", "left"),
    # actions that need a second person
    "RELEASE_HOLD": ("解除暫停", "release of a hold"),
    "ACTIVATE_RULE_PACK": ("規則版本生效", "a version of a rule pack"),
    "TIME": ("逾期", "not in time"),
    "CHANGED": ("情況已變", "it changed"),
    # reading the trail
    "PAGE": ("逐頁查詢", "page by page"),
    "COUNTS": ("計數", "counts"),
    "STORY": ("案件始末", "a case's story"),
    "CSV": ("CSV 下載", "as CSV"),
    "NDJSON": ("NDJSON 下載", "as NDJSON"),
    "ENTRY": ("單筆", "one entry"),
    "BUNDLE": ("整批", "a bundle"),
    # ConsentScope, grounds, QuietReason, complaints, incidents
    "HOURS": ("時段", "hours"),
    "DEBTOR_REQUEST": ("債務人要求", "the debtor's request"),
    "PLACE": ("地點", "place"),
    "HOME_VISIT": ("到宅", "visit at home"),
    "DISPUTE_VISIT": ("爭議期間外訪", "visit while disputed"),
    "SAFETY_PLAN": ("安全計畫", "safety plan"),
    "COURT_ORDER": ("法院命令", "court order"),
    "NOTICE_NOT_PRACTICABLE": ("無法事先通知", "notice not practicable"),
    "BREATHING_SPACE": ("喘息期", "breathing space"),
    "BEREAVEMENT": ("喪事", "bereavement"),
    "CALAMITY": ("災變", "calamity"),
    "WEDDING": ("婚事", "wedding"),
    "FESTIVAL": ("節慶", "festival"),
    "CONDUCT": ("行為", "conduct"),
    "RECORD_INCOMPLETE": ("紀錄不完整", "record incomplete"),
    "RECORD_OVERDUE": ("紀錄逾期未交", "record overdue"),
    "RULE_BROKEN": ("違反規則", "a rule was broken"),
    "SAFETY": ("安全", "safety"),
}
# PromiseStatus; ACTIVE is a status of collectors as well, and has another word there.
PROMISE_STATUSES: dict[str, tuple[str, str]] = {
    "PENDING_APPROVAL": ("待核准", "waiting for approval"),
    "ACTIVE": ("進行中", "active"),
    "KEPT": ("已履行", "kept"),
    "PARTIALLY_KEPT": ("部分履行", "kept in part"),
    "BROKEN": ("未履行", "broken"),
    "SUPERSEDED": ("已由新承諾取代", "replaced by a newer one"),
    "CANCELLED": ("已取消", "cancelled"),
}


def word(code: str, language: Language, codes: Mapping[str, tuple[str, str]] = CODES) -> str:
    """A code in words, or as it is."""
    return codes[code][_PLACE[language]] if code in codes else code


def value(found: Any, language: Language, zone: ZoneInfo) -> str:
    """A field of an event as a reader understands it: money, times by the clock of this zone, codes in words."""
    if found is None or found in ("", [], {}):
        return NOTHING
    if isinstance(found, bool):
        return ("是" if found else "否") if language == "zh" else ("yes" if found else "no")
    if isinstance(found, str):
        return _local(found, zone) if _INSTANT.fullmatch(found) else word(found, language)
    if isinstance(found, list):
        if found and isinstance(found[0], dict) and "digest" in found[0]:
            return str(len(found))
        return ("、" if language == "zh" else ", ").join(value(each, language, zone) for each in found)
    return _facts(found, language, zone) if isinstance(found, Mapping) else str(found)


def _facts(found: Mapping[str, Any], language: Language, zone: ZoneInfo) -> str:
    if found.keys() == {"amount", "currency"}:
        return f"{found['currency']} {Decimal(found['amount']):,}"
    if found.keys() == {"due_on", "amount"}:
        return f"{found['due_on']} {value(found['amount'], language, zone)}"
    if "instalments" in found:
        return value(found["instalments"], language, zone)
    between = "：" if language == "zh" else ": "
    parts = (f"{word(name, language)}{between}{value(each, language, zone)}" for name, each in found.items())
    return ("；" if language == "zh" else "; ").join(parts)


def _local(text: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(text).astimezone(zone).strftime("%Y-%m-%d %H:%M")
