//! Register, then look, in every order.

use super::*;

/// The truth about one user: for each head, since when he is in, or the last that he may see.
fn truths(was_in: bool, script: &[bool]) -> Vec<Result<u64, u64>> {
    let mut truths = vec![if was_in { Ok(1) } else { Err(0) }];
    for (at, toggles) in (1..).zip(script) {
        let before = truths[at - 1];
        let flipped = if before.is_ok() { Err(at as u64) } else { Ok(at as u64) };
        truths.push(if *toggles { flipped } else { before });
    }
    truths
}

/// One order of events, each as how many entries there were before it.
#[derive(Debug, Clone, Copy)]
struct Order {
    registered: u64,
    /// The look saw this head,
    head: u64,
    /// then asked for the membership,
    asked: u64,
    /// and what it brought was handed in.
    handed_in: u64,
    /// The room was there before him, so entries passed meanwhile; otherwise they waited.
    others: bool,
}

/// The room, and whether the connection is subscribed, as its hub keeps it.
struct Scene<'a> {
    truths: &'a [Result<u64, u64>],
    room: Test,
    subscribed: bool,
}

impl Scene<'_> {
    fn publish(&mut self, line: u64) {
        let next = self.room.offer(Line(line));
        self.pass(next);
    }

    fn pass(&mut self, mut next: Option<Line>) {
        while let Some(line) = next.or_else(|| self.room.take_waiting()) {
            let now = truth(self.truths, line.0);
            let change = match now {
                same if same == truth(self.truths, line.0 - 1) => None,
                Ok(_) => Some(Change::Added(vec![USER])),
                Err(_) => Some(Change::Gone(USER)),
            };
            let mut steps = Vec::new();
            self.room.pass(line, change, &mut steps);
            for step in steps {
                match step {
                    Step::LetIn(_, seq) if !self.subscribed => {
                        self.room.let_in(PHONE, USER, seq);
                        self.subscribed = true;
                    }
                    Step::Stop(_, seq) => {
                        assert_eq!(now, Err(seq.as_u64()), "he is still in");
                        self.subscribed = false;
                    }
                    _ => {}
                }
            }
            next = None;
        }
    }

    fn hand_in(&mut self, look: Look) {
        self.room.begin_at(look.head);
        self.pass(None);
        self.subscribed = matches!(self.room.look(&PHONE, FIRST, look), Looked::Reads(_));
    }
}

fn truth(truths: &[Result<u64, u64>], head: u64) -> Result<u64, u64> {
    truths[usize::try_from(head).unwrap()]
}

/// Plays one order of events. In the end he reads if he is in, from where he is in.
fn play(truths: &[Result<u64, u64>], order: Order) {
    let room = if order.others { Room::at(seq(order.registered)) } else { Room::default() };
    let mut scene = Scene { truths, room, subscribed: true };
    scene.room.register(PHONE, USER, FIRST);
    let last = truths.len() as u64 - 1;
    for line in order.registered + 1..=order.handed_in {
        scene.publish(line);
    }
    let asked = truth(truths, order.asked);
    let last_seen = seq(asked.err().unwrap_or(0));
    scene.hand_in(Look { head: seq(order.head), from: asked.ok().map(seq), last: last_seen });
    for line in order.handed_in + 1..=last {
        scene.publish(line);
    }
    let standing = scene.room.readers.first().map(|reader| reader.standing);
    let expected = truth(truths, last).ok().map(|from| Standing::Reading(seq(from)));
    assert_eq!(standing, expected, "{truths:?}, {order:?}");
    assert_eq!((scene.room.head(), scene.room.gap()), (Some(seq(last)), None));
}

/// Five entries, each of which may let the user in or put him out; he is registered before any of
/// them, looked for and handed in behind any later one. All orders that there are.
#[test]
fn g5_g9_every_order_of_register_look_and_entries_ends_at_the_truth() {
    const ENTRIES: u64 = 5;
    for bits in 0..2_u64 << ENTRIES {
        let script: Vec<_> = (1..=ENTRIES).map(|entry| bits >> entry & 1 == 1).collect();
        let truths = truths(bits & 1 == 1, &script);
        for registered in 0..=ENTRIES {
            for head in registered..=ENTRIES {
                for asked in head..=ENTRIES {
                    for handed_in in registered..=ENTRIES {
                        for others in [false, true] {
                            play(&truths, Order { registered, head, asked, handed_in, others });
                        }
                    }
                }
            }
        }
    }
}
