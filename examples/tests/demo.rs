//! The demo runs by itself and tells the truth.

use std::process::Command;

#[test]
fn everything_sent_is_acknowledged_and_delivered_and_a_second_run_works() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["--seconds", "1", "--exit", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        let rows: Vec<Vec<u64>> = text
            .lines()
            .filter(|line| ["ada", "ben", "cleo", "dan"].iter().any(|name| line.starts_with(name)))
            .map(|line| line.split_whitespace().skip(1).map(|number| number.parse().unwrap()).collect())
            .collect();
        assert_eq!(rows.len(), 4, "{text}");
        let sent: u64 = rows.iter().map(|row| row[0]).sum();
        assert!(sent > 0, "{text}");
        for row in rows {
            assert_eq!(row[0], row[1], "sent and acknowledged: {text}");
            assert_eq!(row[2], sent, "delivered: {text}");
            // The log has one more entry than messages: the one that made the group.
            assert_eq!(row[3], sent + 1, "committed: {text}");
        }
    }
}
