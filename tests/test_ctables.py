"""The C detector's tables are those of the integer model, as they were written last."""

from pathlib import Path

from airmark.fixed import ctables

SOURCE = Path(__file__).parent.parent / "firmware/lib/airmark/src/airmark_tables.c"


def test_checked_in_tables_are_up_to_date():
    assert SOURCE.read_text(encoding="ascii") == ctables.text()
