"""The table of rights is read exactly, or refused with the line that is wrong."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from rbac import parse, rules_template  # noqa: E402

RULE = """\
  - apiGroups: ["", apps]
    resources: [pods, deployments]
    verbs: [get, list]
    why: to look
"""
TABLE = f"operator:\n{RULE}ownNamespace:\n{RULE}job:\n{RULE}"


class Table(unittest.TestCase):
    def refused(self, text: str, message: str) -> None:
        with self.assertRaises(SystemExit) as refusal:
            parse(text, "table")
        self.assertIn(message, str(refusal.exception))

    def test_lists_keep_the_empty_group(self) -> None:
        rule = parse(TABLE, "table")["operator"][0]
        self.assertEqual(rule.lists["apiGroups"], ["", "apps"])
        self.assertEqual(rule.lists["verbs"], ["get", "list"])

    def test_an_unknown_verb_is_refused_with_its_line(self) -> None:
        self.refused(TABLE.replace("[get, list]", "[get, lst]", 1), "table:4: unknown verb lst")

    def test_an_unknown_key_is_refused(self) -> None:
        self.refused(TABLE.replace("why:", "wy:", 1), "table:5: a key is one of")

    def test_a_rule_without_a_reason_is_refused(self) -> None:
        self.refused(TABLE.replace("    why: to look\n", "", 1), "table:2: the rule lacks why")

    def test_a_missing_section_is_refused(self) -> None:
        self.refused(f"operator:\n{RULE}job:\n{RULE}", "section ownNamespace is missing")

    def test_wrong_indentation_is_refused(self) -> None:
        self.refused(TABLE.replace("    verbs", "   verbs", 1), "table:4: expected")

    def test_a_key_that_stands_twice_is_refused(self) -> None:
        self.refused(TABLE.replace("    why", "    verbs: [get]\n    why", 1), "stands twice")

    def test_a_switch_wraps_its_rule_only(self) -> None:
        text = rules_template(TABLE.replace("    why", "    when: extra\n    why", 1), "table")
        operator = text.split("{{- end }}\n{{- define")[0]
        self.assertEqual(operator.count("{{- if (.Values.rbac.extra | default dict).create }}"), 1)
        self.assertEqual(text.count("{{- if"), 1)


if __name__ == "__main__":
    unittest.main()
