//! Arguments of the calls about sequences: numbers for other services.

wire_code! {
    /// How a sequence gives its numbers. The first call that names a sequence says it for good.
    pub enum SequenceKind {
        /// One after the other, each allocation a transaction of the store: no number is left out, but
        /// for those of an answer that was lost.
        1 => Dense,
        /// Out of a server's memory, ahead of a ceiling that the store keeps: fast. Numbers grow in what
        /// one server gives; some are left out.
        2 => Segmented,
    }
}

wire_struct! {
    /// Arguments of `Allocate`.
    pub struct Allocate {
        /// The sequence's name: 1 to 64 of the ASCII letters, digits, `.`, `_`, `:` and `-`.
        pub sequence: String,
        /// How it gives its numbers.
        pub kind: SequenceKind,
        /// How many; 1 to 1,000.
        pub count: u32,
    }
}
