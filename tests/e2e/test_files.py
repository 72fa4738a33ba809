"""What a running system writes is readable by its owner only."""


def test_each_file_of_the_data_folder_is_private(house):
    found = [house.data, *house.data.rglob("*")]
    names = {path.name for path in found}
    assert {"cases.sqlite3", "cases.sqlite3-wal", "bus.sqlite3", "audit.sqlite3", "master.key", "up.log"} <= names
    assert {path.name: oct(path.stat().st_mode) for path in found if path.stat().st_mode & 0o077} == {}
