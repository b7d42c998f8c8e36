"""The terms of training: what the editor wants, and before that the team's ``tenon.toml``."""

from pathlib import Path

from lsp_server.errors import SettingsError
from lsp_server.store.training_rules import TrainingRules
from lsp_server.trainer_messages import Schedule


class TrainingTerms:
    """``schedule`` is what holds, ``rules`` the team's part of it; ``faulty`` says what is wrong
    with their file (the editor's terms hold alone then), empty: nothing.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._given = Schedule()
        self.settle()

    def settle(self, given: Schedule | None = None) -> None:
        """Read the team's file anew; ``given`` is what an editor wants from now on."""
        self._given = given or self._given
        self.rules, self.faulty = TrainingRules(), ""
        try:
            self.rules = TrainingRules.of(self._root)
        except SettingsError as error:
            self.faulty = str(error)
        self.schedule = self.rules.over(self._given)

    @property
    def team_is_off(self) -> bool:
        """Whether it is the team that wants no training, whatever the editor says."""
        return self.rules.schedule.get("mode") == "off"
