//! A deterministic adversarial backend: any legal completion order, injected failures, a vector-clock checker.
