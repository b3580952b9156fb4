//! stub
pub fn run() -> bool {
    true
}
