//! What the objects say beyond the golden cases.
