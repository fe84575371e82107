//! A hospital's use cases: import, consent, publish, look up, receipts
