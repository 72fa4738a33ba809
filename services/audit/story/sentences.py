"""A sentence for every event type, zh (traditional) and en, with the event's fields in braces. `more` adds a sentence
where its field has a value. `codes` gives the words of a field whose codes mean another thing elsewhere. An event
without a sentence fails the tests: give it one here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from services.audit.story.words import PROMISE_STATUSES, Language, value, word


@dataclass(frozen=True, slots=True)
class Sentence:
    zh: str
    en: str
    more: tuple[tuple[str, str, str], ...] = ()
    codes: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)


class _Fields(dict[str, str]):
    """A field that an event does not have reads as nothing."""

    def __missing__(self, name: str) -> str:
        return "—"


def tell(kind: str, data: Mapping[str, Any], language: Language, zone: ZoneInfo) -> str:
    """What happened, in a sentence or a few. A type without a sentence is named as it is."""
    sentence = SENTENCES.get(kind) or Sentence(f"{kind}。", f"{kind}.")
    parts = [sentence.zh if language == "zh" else sentence.en]
    parts += [zh if language == "zh" else en for name, zh, en in sentence.more if data.get(name)]
    fields = _Fields({name: value(each, language, zone) for name, each in data.items()})
    fields |= {name: word(data[name], language, codes) for name, codes in sentence.codes.items() if name in data}
    return ("" if language == "zh" else " ").join(parts).format_map(fields)


SENTENCES = {
    # cases
    "doorstep.cases.case-opened.v1": Sentence(
        "委案成立：{product}，欠款 {balance}，逾期 {days_past_due} 天（{bucket}），帳戶 {accounts} "
        "個，適用 {jurisdiction} 規則。",
        "The case was opened: {product}, {balance} owed, {days_past_due} days past due ({bucket}), "
        "accounts: {accounts}; the rules of {jurisdiction} apply.",
        (
            (
                "prior_notice_at",
                "事前通知已於 {prior_notice_at} 發出。",
                "Prior notice had been sent on {prior_notice_at}.",
            ),
        ),
    ),
    "doorstep.cases.case-updated.v1": Sentence(
        "案件更新：欠款 {balance}，逾期 {days_past_due} 天（{bucket}），帳戶 {accounts} 個。",
        "The case changed: {balance} owed, {days_past_due} days past due ({bucket}), accounts: {accounts}.",
    ),
    "doorstep.cases.case-referred.v1": Sentence(
        "依規則 {rule_id} 轉外訪，目的：{purpose}；依據：{inputs}。",
        "Referred to field visits by rule {rule_id}, purpose: {purpose}; on {inputs}.",
    ),
    "doorstep.cases.case-held.v1": Sentence(
        "暫停{scope}，原因：{reason}；{review_on} 前複查。",
        "A hold stopped {scope}: {reason}; to be reviewed by {review_on}.",
    ),
    "doorstep.cases.case-released.v1": Sentence(
        "解除暫停（{reason}）。",
        "The hold was released ({reason}).",
    ),
    "doorstep.cases.payment-received.v1": Sentence(
        "收到款項 {amount}（{received_on}）。",
        "{amount} was received ({received_on}).",
        (
            (
                "provisional",
                "憑收據暫記，待委託機構確認。",
                "Booked on the receipt until the lender confirms it.",
            ),
        ),
    ),
    "doorstep.cases.payment-reversed.v1": Sentence(
        "款項 {amount}（{received_on}）被撤回。",
        "{amount} of a payment ({received_on}) was taken back.",
        (
            (
                "provisional",
                "該款項憑收據暫記，委託機構尚未確認。",
                "The payment was booked on the receipt; the lender had not confirmed it.",
            ),
        ),
    ),
    "doorstep.cases.notice-recorded.v1": Sentence(
        "已於 {sent_at} 以{channel}發出{kind}。",
        "{kind} was sent by {channel} on {sent_at}.",
    ),
    "doorstep.cases.address-verified.v1": Sentence(
        "地址已查證：屬實：{verified}；危險區域：{hazard}。",
        "The address was checked: real: {verified}; hazardous: {hazard}.",
    ),
    "doorstep.cases.lender-agency-changed.v1": Sentence(
        "債權人對受託機構之登錄：資料變更 {changed_at}；最近評估 {reviewed_on}；列於名單：{listed}。",
        "What the lender has recorded about its agent: details changed {changed_at}; last evaluated {reviewed_on}; "
        "on its list: {listed}.",
    ),
    "doorstep.cases.dossier-read.v1": Sentence(
        "調閱個人資料，用途：{reason}。",
        "Personal data were read, for {reason}.",
    ),
    "doorstep.cases.debtor-recognised.v1": Sentence(
        "以加密代碼辨識債務人，供跨委託機構計算次數上限。",
        "The debtor was recognised by a keyed digest, so that caps count a person across lenders.",
    ),
    "doorstep.cases.consent-recorded.v1": Sentence(
        "債務人於 {given_at} 同意（{scope}，{channel}），效期至 {valid_until}。",
        "The debtor consented on {given_at} ({scope}, {channel}), until {valid_until}.",
    ),
    "doorstep.cases.consent-withdrawn.v1": Sentence(
        "債務人於 {withdrawn_at} 撤回同意（{scope}）。",
        "The debtor withdrew the consent ({scope}) on {withdrawn_at}.",
    ),
    "doorstep.cases.contact-preference-recorded.v1": Sentence(
        "債務人的聯絡偏好：方式 {channels}；時段 {windows}；不便之處 {inconvenient_places}；"
        "雇主禁止：{employer_forbids}。",
        "How the debtor wants to be contacted: by {channels}; at {windows}; not at "
        "{inconvenient_places}; employer forbids it: {employer_forbids}.",
    ),
    "doorstep.cases.debtor-reached.v1": Sentence(
        "{first_contact_at} 首次聯繫到債務人。",
        "The debtor was reached for the first time on {first_contact_at}.",
    ),
    "doorstep.cases.quiet-period-recorded.v1": Sentence(
        "自 {first_day} 至 {last_day} 不得要求還款，原因：{reason}。",
        "Nobody asks for payment from {first_day} to {last_day}: {reason}.",
    ),
    "doorstep.cases.complaint-filed.v1": Sentence(
        "債務人於 {filed_at} 提出申訴（{kind}），{answer_due_on} 前答覆。",
        "The debtor complained on {filed_at} ({kind}); an answer is due by {answer_due_on}.",
    ),
    "doorstep.cases.complaint-resolved.v1": Sentence(
        "申訴已處理：{outcome}；如期：{in_time}。",
        "The complaint was resolved: {outcome}; in time: {in_time}.",
    ),
    # visits
    "doorstep.visits.gate-decided.v1": Sentence(
        "於{step}階段審核，結論：{verdict}；決定規則：{deciding}；規則版本：{packs}。",
        "The gate judged the step {step}: {verdict}; decided by {deciding}; packs {packs}.",
    ),
    "doorstep.visits.override-used.v1": Sentence(
        "規則 {rule_id} 於{step}階段因 {override} 而放行，依據 {grounds}。",
        "Rule {rule_id} was lifted at the step {step} by {override}, on the ground {grounds}.",
    ),
    "doorstep.visits.ground-recorded.v1": Sentence(
        "登錄放行依據：{ground}，效期至 {valid_until}。",
        "A ground was recorded: {ground}, until {valid_until}.",
    ),
    "doorstep.visits.rule-pack-activated.v1": Sentence(
        "規則 {pack} 第 {pack_version} 版自 {effective_from} 生效。",
        "Version {pack_version} of the rule pack {pack} comes into force on {effective_from}.",
    ),
    "doorstep.visits.rule-pack-withdrawn.v1": Sentence(
        "規則 {pack} 第 {pack_version} 版於生效日 {effective_from} 前撤回。",
        "Version {pack_version} of the rule pack {pack} was withdrawn before its first day, {effective_from}.",
    ),
    "doorstep.visits.incident-reported.v1": Sentence(
        "通報事件：{kind}；規則：{rules}；缺少：{missing}。",
        "An incident: {kind}; rules: {rules}; missing: {missing}.",
    ),
    "doorstep.visits.day-plan-published.v1": Sentence(
        "發布 {day} 行程：外訪 {visits} 次，小組 {teams} 組。",
        "The plan of {day} was published: visits: {visits}, teams: {teams}.",
    ),
    "doorstep.visits.visit-planned.v1": Sentence(
        "排定外訪（{purpose}）：{window_start} 至 {window_end}。",
        "A visit was planned ({purpose}): {window_start} to {window_end}.",
    ),
    "doorstep.visits.visit-dispatched.v1": Sentence(
        "小組出發。",
        "The team was sent.",
    ),
    "doorstep.visits.visit-departed.v1": Sentence(
        "小組啟程。",
        "The team set out.",
    ),
    "doorstep.visits.visit-missed.v1": Sentence(
        "{day} 的外訪未進行（當時狀態：{known_status}）：{reason}。",
        "The visit of {day} was missed (it stood at {known_status}): {reason}.",
    ),
    "doorstep.visits.visit-supplemented.v1": Sentence(
        "事後補充紀錄：{added}。",
        "The record was supplemented later: {added}.",
        (
            (
                "record_incomplete",
                "仍缺少：{missing}。",
                "Still missing: {missing}.",
            ),
        ),
    ),
    "doorstep.visits.visit-blocked.v1": Sentence(
        "外訪於{step}階段遭攔阻，規則：{rules}。",
        "The visit was blocked at the step {step} by {rules}.",
    ),
    "doorstep.visits.visit-started.v1": Sentence(
        "小組全員到場簽到，外訪開始。",
        "The whole team checked in; the visit began.",
    ),
    "doorstep.visits.visit-completed.v1": Sentence(
        "外訪完成（{started_at} 至 {ended_at}）：{disposition}；會見：{person_met}。",
        "The visit was completed ({started_at} to {ended_at}): {disposition}; met: {person_met}.",
        (
            (
                "promise",
                "承諾：{promise}。",
                "Promised: {promise}.",
            ),
            (
                "cash",
                "收取現金：{cash}。",
                "Cash taken: {cash}.",
            ),
            (
                "evidence",
                "留存檔案 {evidence} 件。",
                "Files kept: {evidence}.",
            ),
            (
                "record_incomplete",
                "紀錄不完整，缺少：{missing}。",
                "The record is incomplete; missing: {missing}.",
            ),
        ),
    ),
    "doorstep.visits.visit-aborted.v1": Sentence(
        "外訪中止：{reason}。",
        "The visit was broken off: {reason}.",
    ),
    "doorstep.visits.visit-cancelled.v1": Sentence(
        "外訪取消：{reason}。",
        "The visit was cancelled: {reason}.",
    ),
    "doorstep.visits.cash-received.v1": Sentence(
        "外訪員收取現金 {amount}，收據 {receipt_number}。",
        "A collector took {amount} in cash, receipt {receipt_number}.",
    ),
    "doorstep.visits.collector-status-changed.v1": Sentence(
        "外訪員狀態：{status}；證照：{certificates}。",
        "The collector is now: {status}; certificates: {certificates}.",
        (("previous_status", "先前狀態：{previous_status}。", "Before: {previous_status}."),),
    ),
    "doorstep.visits.collector-corrected.v1": Sentence(
        "更正外訪員資料：{fields}。",
        "Facts about the collector were corrected: {fields}.",
    ),
    "doorstep.visits.team-changed.v1": Sentence(
        "自 {from_day} 起小組成員為 {collector_ids}；原成員為 {earlier_collector_ids}。",
        "From {from_day} on the members of the team are {collector_ids}; until then {earlier_collector_ids}.",
    ),
    "doorstep.cases.case-closed.v1": Sentence(
        "結案：{reason}。",
        "Nothing is demanded of the case any more: {reason}.",
    ),
    "doorstep.cases.case-recalled.v1": Sentence(
        "委託機構撤回全部帳戶，停止一切接觸。",
        "The lender took back the last account of the case; all contact ends.",
    ),
    "doorstep.cases.case-reopened.v1": Sentence(
        "案件恢復（先前：{reason}）。",
        "The case was opened again; it was closed as: {reason}.",
    ),
    "doorstep.cases.accounts-recalled.v1": Sentence(
        "委託機構撤回帳戶 {account_ids}：{reason}。",
        "The lender took back accounts {account_ids}: {reason}.",
    ),
    # followup
    "doorstep.followup.promise-made.v1": Sentence(
        "債務人承諾還款，共 {total}：{instalments}。",
        "The debtor promised {total} in all: {instalments}.",
    ),
    "doorstep.followup.promise-kept.v1": Sentence(
        "承諾已履行：承諾 {promised}，已付 {paid}（{on} 判定）。",
        "The promise was kept: {promised} promised, {paid} paid (judged on {on}).",
    ),
    "doorstep.followup.promise-partially-kept.v1": Sentence(
        "承諾部分履行：承諾 {promised}，已付 {paid}（{on} 判定）。",
        "The promise was kept in part: {promised} promised, {paid} paid (judged on {on}).",
    ),
    "doorstep.followup.promise-broken.v1": Sentence(
        "承諾未履行：承諾 {promised}，已付 {paid}（{on} 判定）。",
        "The promise was broken: {promised} promised, {paid} paid (judged on {on}).",
    ),
    "doorstep.followup.promise-cured.v1": Sentence(
        "遲報之款項屬期限內，承諾改判為{status}：承諾 {promised}，已付 {paid}（第 {judgement} 次判定，{on}）。",
        "Money in time was reported late; the promise is now {status}: {promised} promised, {paid} paid (judgement "
        "{judgement}, on {on}).",
        codes={"status": PROMISE_STATUSES},
    ),
    "doorstep.followup.promise-reopened.v1": Sentence(
        "已入帳款項遭撤回，或已結案件重新開啟，承諾改判為{status}："
        "承諾 {promised}，已付 {paid}（第 {judgement} 次判定，{on}）。",
        "A payment was taken back, or a closed case is open again; the promise is now {status}: {promised} promised, "
        "{paid} paid (judgement {judgement}, on {on}).",
        codes={"status": PROMISE_STATUSES},
    ),
    "doorstep.followup.instalment-missed.v1": Sentence(
        "第 {instalment} 期未按時履行：至 {on} 應付 {due}，已付 {paid}。",
        "Instalment {instalment} was missed: until {on} {due} was due, and {paid} had come.",
    ),
    "doorstep.followup.promise-superseded.v1": Sentence(
        "承諾由新的承諾取代。",
        "A newer promise took its place.",
    ),
    "doorstep.followup.promise-cancelled.v1": Sentence(
        "承諾取消：{reason}。",
        "The promise was cancelled: {reason}.",
    ),
    "doorstep.followup.lender-terms-recorded.v1": Sentence(
        "債權人之承諾條件：寬限 {grace_days} 日（{grace_in}），容差 {tolerance}，逾期處理 {on_missed}。",
        "The lender's terms of promises: {grace_days} days of grace ({grace_in}), tolerance {tolerance}, a missed "
        "instalment: {on_missed}.",
        (("may_lack", "另容許短缺 {may_lack}。", "As well, {may_lack} may lack."),),
    ),
    "doorstep.followup.revisit-requested.v1": Sentence(
        "要求自 {not_before} 起再訪（{purpose}），原因：{reason}。",
        "Another visit is wanted from {not_before} on ({purpose}): {reason}.",
    ),
    # audit
    "doorstep.audit.trail-searched.v1": Sentence(
        "查詢存證（{form}）。",
        "The trail was searched ({form}).",
        (
            (
                "found",
                "得 {found} 筆。",
                "Entries shown: {found}.",
            ),
        ),
    ),
    "doorstep.audit.trail-read.v1": Sentence(
        "調閱日誌 {log} 的第 {first_index} 至 {last_index} 號。",
        "Entries {first_index} to {last_index} of log {log} were read.",
    ),
    "doorstep.audit.export-created.v1": Sentence(
        "製作存證匯出檔，共 {entries} 筆，清單摘要 {manifest_digest}。",
        "An export of {entries} entries was made; its manifest's digest is {manifest_digest}.",
    ),
    "doorstep.audit.export-fetched.v1": Sentence(
        "取走存證匯出檔。",
        "The file of an export was fetched.",
    ),
    # operations
    "doorstep.operations.parked-events-replayed.v1": Sentence(
        "重新處理擱置的事件（{consumer}）：已處理 {cured}，仍擱置 {still_parked}。",
        "Parked events of {consumer} were run again: handled: {cured}, still parked: {still_parked}.",
    ),
    "doorstep.operations.projection-rebuilt.v1": Sentence(
        "重建 {consumer} 的檢視表 {projection}。",
        "The projection {projection} of {consumer} was made again.",
    ),
    "doorstep.operations.approval-asked.v1": Sentence(
        "申請須由第二人核准的事項：{action}，{expires_at} 前有效。",
        "A request for what needs a second person: {action}; it ends on {expires_at}.",
    ),
    "doorstep.operations.approval-granted.v1": Sentence(
        "第二人核准：{action}，申請人 {asked_by}。",
        "A second person approved: {action}, asked by {asked_by}.",
    ),
    "doorstep.operations.approval-refused.v1": Sentence(
        "第二人駁回：{action}，申請人 {asked_by}。",
        "A second person refused: {action}, asked by {asked_by}.",
    ),
    "doorstep.operations.approval-expired.v1": Sentence(
        "申請失效（{because}）：{action}。",
        "A request ended without a decision ({because}): {action}.",
    ),
    # the trail's own
    "trail.conflict": Sentence(
        "同一事件編號收到不同內容，不予採用。",
        "A second, different event came under an id that was taken; it was refused.",
    ),
    "trail.rejected": Sentence(
        "收到無法辨識的紀錄，僅存其摘要。",
        "A record came that is no event; its digest was kept.",
    ),
    "trail.gap": Sentence(
        "{aggregate} 的事件在第 {from_version} 版與第 {to_version} 版之間有缺。",
        "Between versions {from_version} and {to_version} of {aggregate} events had not come.",
    ),
    "trail.heads": Sentence("記下各日誌的筆數與根雜湊。", "Size and root of every log were written down."),
    "trail.restored": Sentence(
        "系統自較舊的備份續行，或接續未經簽署的紀錄；缺漏已逐一載明。",
        "The trail went on from an older backup, or over entries without a signature; what is lost is named.",
    ),
    "trail.heartbeat": Sentence("存證系統運作中。", "The trail was alive."),
}
