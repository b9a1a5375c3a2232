"""The gate cannot pass by accident."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import steps  # noqa: E402
from steps import Runner, Step  # noqa: E402

CLOSING = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s"


class Gate(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        steps.CACHE, self.before = Path(folder.name), steps.CACHE
        self.addCleanup(lambda: setattr(steps, "CACHE", self.before))

    def run_steps(self, *plan: Step):
        runner, output = Runner("trial", "times.json"), io.StringIO()
        with contextlib.redirect_stdout(output):
            good = runner.run(list(plan))
        return good, runner.results, output.getvalue()

    def test_counts_what_cargo_says(self) -> None:
        good, results, output = self.run_steps(Step("unit", "", [["echo", CLOSING]], runs_tests=True))
        self.assertTrue(good)
        self.assertEqual((results["unit"].passed, results["unit"].ignored), (3, 1))
        self.assertIn(CLOSING, output)

    def test_a_test_step_without_tests_fails(self) -> None:
        good, results, _ = self.run_steps(Step("unit", "", [["true"]], runs_tests=True))
        self.assertFalse(good)
        self.assertEqual(results["unit"].note, "no test ran")

    def test_a_failed_build_stops_the_rest(self) -> None:
        good, results, _ = self.run_steps(Step("build", "", [["false"]], essential=True), Step("unit", "", [["true"]]))
        self.assertFalse(good)
        self.assertEqual(results["unit"].outcome, "not run")

    def test_a_failed_layer_does_not_hide_the_next(self) -> None:
        good, results, _ = self.run_steps(Step("golden", "", [["false"]]), Step("scenario", "", [["true"]]))
        self.assertFalse(good)
        self.assertEqual(results["scenario"].outcome, "ok")

    def test_a_hanging_step_is_ended_with_what_it_started(self) -> None:
        command = ["bash", "-c", "tail -f /dev/null & wait"]
        good, results, _ = self.run_steps(Step("e2e", "", [command], limit_minutes=0.01))
        self.assertFalse(good)
        self.assertEqual(results["e2e"].note, "ended at its time limit")

    def test_a_finding_fails_its_step(self) -> None:
        good, results, output = self.run_steps(Step("files", "", [lambda: ["x.rs: too long"]]))
        self.assertFalse(good)
        self.assertIn("x.rs: too long", output)


if __name__ == "__main__":
    unittest.main()
