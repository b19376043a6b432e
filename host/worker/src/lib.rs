//! The worker's and the compile child's main: boot, confine, ready, run loop.
