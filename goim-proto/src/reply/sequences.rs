//! Answers to the calls about sequences.

wire_struct! {
    /// Numbers of a sequence, one after the other: nobody else is ever given one of them.
    pub struct Allocated {
        /// The first.
        pub first: u64,
        /// The last.
        pub last: u64,
    }
}
