//! Device, streams, events, memory, profiler and shutdown over any backend.
