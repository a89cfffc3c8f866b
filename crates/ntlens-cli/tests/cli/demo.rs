//! `ntlens demo`, the first thing that a new user sees.

use crate::support::ntlens;

#[test]
fn the_table_is_the_one_that_the_manual_shows() {
    let run = ntlens(&["demo"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    insta::assert_snapshot!("demo", run.stdout);
    let notes = [
        "note: process 596 ntpd_helper.ex is not in the active list, but in: cid-table, session-list\n",
        "note: this was a made-up machine; for a dump of your own: ntlens processes MEMORY.DMP\n",
    ];
    assert_eq!(run.stderr, notes.concat());
}
