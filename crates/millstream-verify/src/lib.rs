//! Verification rounds: plan, attempts, evidence, report, ledger.
