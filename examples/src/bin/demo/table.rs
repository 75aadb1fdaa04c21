//! The table of who is how far.

use std::time::Instant;

use super::member::Progress;

/// Drawn in place on a terminal; elsewhere only its last state is printed.
pub(crate) struct Table {
    in_place: bool,
    lines: usize,
    started: Instant,
}

impl Table {
    pub(crate) fn new(in_place: bool) -> Self {
        Self { in_place, lines: 0, started: Instant::now() }
    }

    pub(crate) fn draw(&mut self, rows: &[Progress], last: bool) {
        if !self.in_place && !last {
            return;
        }
        if self.lines > 0 {
            // Up to the table's first line.
            print!("\x1b[{}A", self.lines);
        }
        println!(
            "{:<8} {:>8} {:>8} {:>10} {:>16}",
            "member", "sent", "acked", "delivered", "committed offset"
        );
        for row in rows {
            println!(
                "{:<8} {:>8} {:>8} {:>10} {:>16}",
                row.name, row.sent, row.acked, row.delivered, row.committed
            );
        }
        let delivered: u64 = rows.iter().map(|row| row.delivered).sum();
        let ms = self.started.elapsed().as_millis().max(1);
        let rate = u128::from(delivered) * 1_000 / ms;
        println!("{rate:>8} deliveries a second    ");
        self.lines = rows.len() + 2;
    }
}
