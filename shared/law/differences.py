"""What a new version of a pack changes, rule by rule and field by field, in words."""

from typing import Any

from shared.differences import Change, changed_fields
from shared.law.packs import RulePack
from shared.law.rules import Rule


def difference(old: RulePack | None, new: RulePack) -> list[Change]:
    """Every difference between two versions, in the order of the new one, gone rules last."""
    before, after = _by_key(old.rules if old else ()), _by_key(new.rules)
    changes: list[Change] = []
    if old is not None:
        changes += changed_fields(_head(old), _head(new), ("pack", "規則包"))
    for key, rule in after.items():
        if key in before:
            changes += changed_fields(_plain(before[key]), _plain(rule), (rule.id, rule.id), rule.id)
        else:
            changes.append(Change(rule.id, None, None, rule.to_json(), f"{rule.id} is new.", f"新增規則 {rule.id}。"))
    for key, rule in before.items():
        if key not in after:
            words = (f"{rule.id} is gone.", f"刪除規則 {rule.id}。")
            changes.append(Change(rule.id, None, rule.to_json(), None, *words))
    return changes


def _head(pack: RulePack) -> dict[str, Any]:
    return {"title.en": pack.title.en, "title.zh": pack.title.zh, "within": pack.within}


def _by_key(rules: tuple[Rule, ...]) -> dict[tuple[str, int], Rule]:
    """Rules by id; of an id that stands more than once, the first, the second … by date."""
    found: dict[tuple[str, int], Rule] = {}
    for rule in sorted(rules, key=lambda each: str(each.effective_from or "")):
        found[rule.id, sum(known == rule.id for known, _ in found)] = rule
    order = [rule.id for rule in rules]
    return dict(sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[0][1])))


def _plain(rule: Rule) -> dict[str, Any]:
    """The fields of a rule, nested ones by their path; its parameters with what goes without saying."""
    flat: dict[str, Any] = {}
    for name, value in rule.to_json().items():
        if name == "parameters":
            whole = rule.parameters.model_dump(mode="json", by_alias=True)
            flat |= {f"parameters.{each}": told for each, told in whole.items()}
        elif isinstance(value, dict):
            flat |= {f"{name}.{each}": told for each, told in value.items()}
        elif name != "id":
            flat[name] = value
    return flat
