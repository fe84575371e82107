//! The text that a patient is shown when a hospital has none of its own.
//!
//! A consent holds the digest of the text that was shown. A text is never changed: a better one is a new version, and
//! the earlier ones stay, so that a digest on the ledger can be read.

/// One version of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentText {
    /// Its version, from 1.
    pub version: u32,
    /// The text, exactly as it is shown.
    pub text: &'static str,
}

impl ConsentText {
    /// All versions, oldest first.
    pub const ALL: [Self; 3] = [
        Self {
            version: 1,
            text: "My hospital may publish an encrypted pattern of my symptoms in the network, so that other hospitals \
                   can find that a similar patient is here. My name and my record stay at my hospital. I may withdraw \
                   this at any time. My hospital keeps the key that signs for me and vouches for this consent.",
        },
        Self { version: 2, text: SECOND },
        Self { version: 3, text: DEFAULT_TEXT },
    ];
}

/// What was shown until channels came.
const SECOND: &str = "\
What I agree to (text 2).

My hospital may publish a coded list of my symptoms, without my name, my dates or my record. Each symptom becomes a \
short code made with a secret key that the hospitals share; some codes of symptoms that I do not have are added.

Who gets it: the matchers of the network, who compare cases and do not have the key. All members of the network see \
that my hospital published a case, when, and until when; they do not see the codes.

What can be learned: doctors at other hospitals who look for a similar patient may learn that my hospital has one, \
and which of their own patient's symptoms I probably share. My hospital is told each time. Someone who had both the \
key and the codes could read my symptoms, and rare symptoms together may point to me: the list is coded, it is not \
anonymous.

How I withdraw: I tell my hospital, at any time and without giving reasons. I am then no longer found and the codes \
are deleted; a mark that there was a case remains. What others have already seen cannot be called back.

My hospital makes and keeps the key that signs this for me. It signs on my behalf and vouches that I agreed.";

/// The present version.
pub const DEFAULT_TEXT: &str = "\
What I agree to (text 3).

My hospital may publish a coded list of my symptoms, without my name, my dates or my record. Each symptom becomes a \
short code made with a secret key that the hospitals share; some codes of symptoms that I do not have are added.

Who gets it: the matchers of the network, who compare cases and do not have the key. All members of the network see \
that my hospital published a case, when, and until when; they do not see the codes.

What can be learned: doctors at other hospitals who look for a similar patient may learn that my hospital has one, \
and which of their own patient's symptoms I probably share. My hospital is told each time. Someone who had both the \
key and the codes could read my symptoms, and rare symptoms together may point to me: the list is coded, it is not \
anonymous.

Being contacted, if I agree to it: where my case and another one met, the two hospitals may agree that we talk: my \
doctors, I, or both. I join only if I want to, and I choose the name that the others see. They also see that I am a \
patient of my hospital. All members of the network see that two hospitals are in contact, not about whom.

Groups, if I agree to it: my hospital may show me groups of people with symptoms like mine, and how many of its \
patients have them, roughly. I decide about each group. That I am in one stands nowhere in public.

What is said there is encrypted on our devices: no hospital can read it. The hospitals whose people take part see when \
somebody writes and about how much. What I tell others, they have.

How I withdraw: I tell my hospital, at any time and without giving reasons. I am then no longer found, the codes are \
deleted, and my part in every conversation ends within seconds; a mark that there was a case remains. What others \
have already seen cannot be called back.

My hospital makes and keeps the key that signs this for me. It signs on my behalf and vouches that I agreed.";

#[cfg(test)]
mod tests {
    use semblance_core::id::Digest;

    use super::*;

    #[test]
    fn a_text_that_was_shown_is_never_changed() {
        let digests = ConsentText::ALL.map(|shown| Digest::of(shown.text.as_bytes()).to_string());
        assert_eq!(
            digests,
            [
                "7cf8343ed095c269b5f4d3f8e8bb90d19bdf60b380788669b92f8bc6dff724fe",
                "48d8f1ba8c0d6216ce22138723ba6ccfaad241bb25d1c8c4a571ee8f16cfd800",
                "c0cffd1445db36a175935e1292a861db493270d714623e2864a41b49f6629b6d",
            ]
        );
        assert!(ConsentText::ALL.iter().zip(1..).all(|(shown, version)| shown.version == version));
        assert_eq!(ConsentText::ALL.last().map(|shown| shown.text), Some(DEFAULT_TEXT));
    }
}
