import pytest

from lsp_server.errors import SettingsError
from lsp_server.store.training_rules import TrainingRules
from lsp_server.trainer_messages import Schedule


def rules(tmp_path, text):
    (tmp_path / "tenon.toml").write_text(text)
    return TrainingRules.of(tmp_path)


def test_without_a_file_or_a_table_the_editor_decides(tmp_path):
    given = Schedule(mode="manual", min_changes=7)
    assert TrainingRules.of(tmp_path).over(given) == given
    assert rules(tmp_path, "[files]\n").over(given) == given


def test_the_team_goes_before_the_editor(tmp_path):
    found = rules(
        tmp_path,
        "[training]\nmin_changes = 3\nidle_seconds = 1\non_battery = true\nhours = '22:00-06:00'\n"
        "time_budget = 60\n",
    )
    schedule = found.over(Schedule(mode="manual", min_changes=7))
    assert schedule == Schedule(
        mode="manual", min_changes=3, idle_seconds=1, on_battery=True, hours="22:00-06:00"
    )
    assert (found.time_budget, found.gate_seconds) == (60, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_changes = 0", r"`training\.min_changes`: expected `int` >= 1"),
        ("hours = '22-6'", r"`training\.hours`: expected hours such as `22:00-06:00`"),
        ("mode = 'often'", r"`training\.mode`"),
        ("min_chnages = 3", r"unknown field `min_chnages`"),
        ("min_changes = ", r"is no TOML"),
    ],
)
def test_errors_name_the_field(tmp_path, text, said):
    with pytest.raises(SettingsError, match=said):
        rules(tmp_path, f"[training]\n{text}\n")
