//! `flink-operator config explain`.

use crate::command::run;

#[test]
fn an_option_is_told_with_all_that_matters() {
    let text = run(&["config", "explain", "reconciler.reschedule.interval"]).quietly();
    insta::assert_snapshot!(text, @r"
    kubernetes.operator.reconcile.interval
      type      Duration
      default   1 min
      scope     operator: its configuration, also per namespace and Flink version
      change    takes effect while the operator runs
      old names kubernetes.operator.reconciler.reschedule.interval
      since     1.0
      meaning   Time until a steady resource is looked at again.
    ");
}

#[test]
fn without_a_key_all_are_told() {
    let text = run(&["config", "explain"]).quietly();
    let told = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .count();
    assert!(told > 146, "{told}");
    assert!(text.contains("\nkubernetes.operator.job.upgrade.last-state-fallback.enabled\n"));
}

#[test]
fn an_unknown_key_fails_with_the_nearest() {
    let error = run(&[
        "config",
        "explain",
        "kubernetes.operator.reconcile.intervall",
    ])
    .failed();
    assert!(
        error.contains("did you mean kubernetes.operator.reconcile.interval?"),
        "{error}"
    );
}
