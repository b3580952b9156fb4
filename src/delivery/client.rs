//! The guarded client: it connects to public addresses over https, follows no redirect, waits a bounded time and
//! reads a bounded answer.
//!
//! Names are resolved here and the addresses checked before the connection is made, so that a name cannot point
//! outside while it is checked and inside when it is used (DNS rebinding).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use crate::config;

/// Sends parcels.
pub struct Courier {
    http: reqwest::Client,
    allow_private: bool,
    answer_max_bytes: usize,
}

impl Courier {
    /// # Errors
    /// That TLS is not to be had on this machine.
    pub fn new(config: &config::Delivery) -> Result<Courier, String> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(config.timeout_secs))
            .no_proxy()
            .dns_resolver(Arc::new(Guarded { allow_private: config.allow_private }))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Courier { http, allow_private: config.allow_private, answer_max_bytes: config.answer_max_bytes })
    }

    /// Posts a Bundle to a partner's base address; answers its status.
    ///
    /// # Errors
    /// Why it was not sent or not answered, without anything of the body.
    pub async fn send(&self, endpoint: &str, body: Vec<u8>) -> Result<u16, String> {
        let url = Url::parse(endpoint).map_err(|_| "the endpoint is not an address".to_string())?;
        self.check(&url)?;
        let request = self
            .http
            .post(url)
            .header("content-type", "application/fhir+json")
            .header("accept", "application/fhir+json")
            .body(body);
        let mut answer = request.send().await.map_err(|error| reason(&error))?;
        let status = answer.status().as_u16();
        let mut length = 0;
        while let Ok(Some(chunk)) = answer.chunk().await {
            length += chunk.len();
            if length > self.answer_max_bytes {
                break;
            }
        }
        Ok(status)
    }

    fn check(&self, url: &Url) -> Result<(), String> {
        if self.allow_private {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err("the endpoint is not https, and delivery.allow_private is off".to_string());
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if is_public(address) {
            Ok(())
        } else {
            Err("the endpoint is a private address, and delivery.allow_private is off".to_string())
        }
    }
}

/// A resolver that hands out no private address unless it is allowed to.
struct Guarded {
    allow_private: bool,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if addresses.is_empty() {
                return Err("the name leads to no public address".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is out in the world (IANA special-purpose registries for IPv4 and IPv6).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            // Global unicast is 2000::/3; 2001::/23 and 2001:db8::/32 in it are special, 2002::/16 embeds IPv4.
            None => {
                let [first, second, ..] = v6.segments();
                first & 0xe000 == 0x2000
                    && first != 0x2002
                    && !(first == 0x2001 && (second < 0x200 || second == 0x0db8))
            }
        },
    }
}

fn reason(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke"
    };
    what.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_out_in_the_world_are_public() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.20.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("2606:4700::1111", true),
            ("::1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("::ffff:127.0.0.1", false),
            ("2002:7f00:1::", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
