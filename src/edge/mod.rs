//! The Pingora side of the gateway, and the only one that knows Pingora.
//!
//! Bytes become an `http::Request`, an `http::Response` becomes bytes; nothing here has an opinion about AI.
//!
//! - [`Front`] is a `ProxyHttp`: mount it in any Pingora server.
//! - [`Door`] is what the binary puts before it: it lets only sound heads in, in time.
//! - `refuse` answers what it does not let in.
//! - `stack_lane` serves what the gateway understands; `opaque_lane` prepares what Pingora proxies natively.

pub mod chunks;
mod door;
mod feed;
mod front;
pub mod head;
mod listen;
mod opaque_lane;
mod refuse;
mod source;
mod stack_lane;
mod stream;
mod tls;

pub use door::Door;
pub use front::{Exchange, Front};
pub use listen::{Listening, listen};
pub use tls::Certificates;
