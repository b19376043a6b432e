//! Why bytes were not understood. Each is a protocol violation of the sender, never a fault of the receiver.

/// What is wrong with received bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The frame's length is over the cap; nothing of it was read.
    #[error("decode a frame of {length} bytes, the most is {cap}")]
    FrameTooLong {
        /// The length that the sender announced, in bytes.
        length: u64,
        /// The most that this receiver takes, in bytes.
        cap: u64,
    },
    /// The bytes are not a message of this direction.
    #[error("decode a message: {0}")]
    Malformed(&'static str),
    /// A message is longer than a frame may be; told by the sender's own encoder.
    #[error("encode a message of {length} bytes, the most is {cap}")]
    MessageTooLong {
        /// The message's length in bytes.
        length: u64,
        /// The most that a frame holds, in bytes.
        cap: u64,
    },
    /// A type table breaks its rule that a type names only earlier types.
    #[error("decode a type table: {0}")]
    BadTypes(&'static str),
    /// The other side speaks another version.
    #[error("agree on the protocol: the other side speaks version {theirs}, this one {ours}; was the binary replaced?")]
    Version {
        /// The version that the other side announced.
        theirs: u16,
        /// This side's version.
        ours: u16,
    },
}

impl From<postcard::Error> for WireError {
    fn from(error: postcard::Error) -> Self {
        use postcard::Error as E;
        // postcard's enum is non-exhaustive and its texts carry no data; a few arms are told apart because tests name them.
        #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is non-exhaustive and foreign")]
        let why = match error {
            E::DeserializeUnexpectedEnd => "it ends early",
            E::DeserializeBadVarint => "a number is too long",
            E::DeserializeBadUtf8 => "a text is not UTF-8",
            E::DeserializeBadEnum => "an unknown variant",
            E::DeserializeBadBool | E::DeserializeBadOption => "a flag is neither 0 nor 1",
            E::DeserializeBadEncoding => "trailing bytes",
            _ => "not postcard",
        };
        Self::Malformed(why)
    }
}
