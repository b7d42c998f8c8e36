from training.watching.bursts import MOST_FOLDERS, Burst, Changed


def at(*folders: str) -> Changed:
    return Changed(frozenset(folders))


def test_many_changes_are_one_wake_up():
    burst = Burst(quiet_seconds=2, most_seconds=30)
    for number in range(50_000):
        burst.add(at(f"{number % 3}/"), number / 50_000)
    assert burst.take(2.9) is None
    assert burst.take(3.0) == at("0/", "1/", "2/")
    assert burst.take(100.0) is None
    assert burst.due is None


def test_what_never_ends_is_looked_at_all_the_same():
    burst = Burst(quiet_seconds=2, most_seconds=30)
    taken = []
    for second in range(100):
        burst.add(at("log/"), float(second))
        if changed := burst.take(float(second)):
            taken.append((second, changed))
    assert [second for second, _ in taken] == [30, 61, 92]


def test_of_too_many_folders_all_are_looked_at():
    burst = Burst()
    for number in range(MOST_FOLDERS + 1):
        burst.add(at(f"{number}/"), 0.0)
    assert burst.take(9.0) == Changed(None)


def test_what_a_changed_file_means():
    assert Changed.of("src/", "a.py") == at("src/")
    assert Changed.of("src/", "a.log") is None
    assert Changed.of("src/", ".a.py.swp") is None
    assert Changed.of("src/", ".gitignore") == Changed(rules=True)
    assert Changed.of("", "tenon.toml") == Changed(rules=True)
    assert Changed.of("src/", "tenon.toml") is None
    assert (at("a/") | Changed(rules=True)) == Changed(None, rules=True)
