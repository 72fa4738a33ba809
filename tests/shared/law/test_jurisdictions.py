"""One mapping of places to laws: the same packs by whatever name a door gives a place."""

from datetime import date

import pytest

from shared.law import laws_named, laws_of, may_be_law_of, read_pack, shipped
from tests.shared.law.test_packs import PACK

DAY = date(2026, 3, 2)
EU = "at be bg cy cz de dk ee es fi fr gr hr hu ie it lt lu lv mt nl pl pt ro se si sk"


@pytest.mark.parametrize(
    ("name", "packs"),
    [
        ("fr", ["house", "eu"]),
        ("fr-idf", ["house", "eu"]),
        ("eu", ["house", "eu"]),
        ("gb", ["house", "uk"]),
        ("gb-sct", ["house", "uk"]),
        ("uk", ["house", "uk"]),
        ("us-ny", ["house", "us"]),
        ("us-ma", ["house", "us", "us-ma"]),
        ("tw-tpe", ["house", "tw"]),
        ("jp", ["house"]),
        ("mars", ["house"]),
        *((member, ["house", "eu"]) for member in EU.split(" ")),
    ],
)
def test_the_packs_of_a_name(name, packs):
    assert [pack.id for pack in shipped().packs_for(name, DAY)] == packs


def test_a_member_states_own_law_comes_before_that_of_the_union():
    text = PACK.replace("id: xx\n", "id: fr\nwithin: eu\n").replace("xx-hours", "fr-hours")
    law = shipped().with_version(read_pack("fr.yaml", text.encode()), date(2026, 4, 1))
    assert [pack.id for pack in law.packs_for("fr", DAY)] == ["house", "eu"]
    assert [pack.id for pack in law.packs_for("fr", date(2026, 4, 1))] == ["house", "eu", "fr"]
    assert law.at_place("FR", None, DAY) == "eu"
    assert law.at_place("FR", "IDF", date(2026, 4, 1)) == "fr"


@pytest.mark.parametrize(
    ("country", "region", "laws", "at_place"),
    [
        ("US", "MA", ("us-ma", "us"), "us-ma"),
        ("US", "NY", ("us-ny", "us"), "us"),
        ("GB", "SCT", ("uk-sct", "uk"), "uk"),
        ("FR", None, ("fr", "eu"), "eu"),
        ("JP", None, ("jp",), "jp"),
    ],
)
def test_the_laws_of_a_place(country, region, laws, at_place):
    assert laws_of(country, region) == laws
    assert shipped().at_place(country, region, DAY) == at_place


def test_an_unknown_name_is_known_as_such():
    law = shipped()
    assert all(law.knows(name) for name in ("fr", "gb", "uk", "eu", "us-ny", "jp", *law.jurisdictions))
    assert not any(law.knows(name) for name in ("mars", "xx", "house", "", "zz-ma", "el"))
    assert laws_named("mars") == ("mars",)


@pytest.mark.parametrize(
    ("jurisdiction", "country", "region", "may"),
    [
        ("us", "US", "MA", True),
        ("us-ny", "US", None, True),
        ("us-ny", "US", "MA", False),
        ("gb", "GB", None, True),
        ("eu", "FR", None, True),
        ("eu", "GB", None, False),
        ("de", "FR", None, False),
        ("tw", "FR", None, False),
        ("xu", "FR", None, True),
    ],
)
def test_whether_a_law_can_be_that_of_a_place(jurisdiction, country, region, may):
    assert may_be_law_of(jurisdiction, country, region) is may
