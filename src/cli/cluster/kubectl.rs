//! What kubectl reads otherwise in a kubeconfig than kube, which takes an empty text for one, refuses base64 of several
//! lines, and panics over a token or a server that it cannot use.

use std::path::MAIN_SEPARATOR;

use http::HeaderValue;
use kube::{Config, config::Kubeconfig};
use secrecy::{ExposeSecret, SecretString};

/// Takes an empty text for none, and joins the lines of base64. The password goes with the name of the user.
pub(super) fn without_empty(kubeconfig: &mut Kubeconfig) {
    let clusters = kubeconfig.clusters.iter_mut();
    for cluster in clusters.filter_map(|named| named.cluster.as_mut()) {
        join(&mut cluster.certificate_authority_data);
        let texts = [
            &mut cluster.server,
            &mut cluster.tls_server_name,
            &mut cluster.certificate_authority_data,
        ];
        keep(texts, is_text);
        keep([&mut cluster.certificate_authority], is_path);
    }
    let users = kubeconfig.auth_infos.iter_mut();
    for user in users.filter_map(|named| named.auth_info.as_mut()) {
        join(&mut user.client_certificate_data);
        let key = user.client_key_data.take();
        let mut key = key.map(|key| key.expose_secret().to_owned());
        join(&mut key);
        user.client_key_data = key.map(SecretString::from);
        let texts = [
            &mut user.username,
            &mut user.client_certificate_data,
            &mut user.impersonate,
            &mut user.impersonate_uid,
        ];
        keep(texts, is_text);
        let paths = [
            &mut user.client_certificate,
            &mut user.client_key,
            &mut user.token_file,
        ];
        keep(paths, is_path);
        for secret in [&mut user.token, &mut user.client_key_data] {
            *secret = secret.take().filter(|text| is_text(text.expose_secret()));
        }
    }
}

/// Joins the lines of base64, whose ends Go reads over.
fn join(data: &mut Option<String>) {
    if let Some(data) = data {
        data.retain(|letter| !matches!(letter, '\r' | '\n'));
    }
}

fn keep<const N: usize>(texts: [&mut Option<String>; N], is_there: fn(&str) -> bool) {
    for text in texts {
        *text = text.take().filter(|text| is_there(text));
    }
}

fn is_text(text: &str) -> bool {
    !text.is_empty()
}

/// Before an empty path kube has put the folder of the kubeconfig.
fn is_path(text: &str) -> bool {
    is_text(text) && !text.ends_with(MAIN_SEPARATOR)
}

/// The same with the token that kubectl sends, without the spaces and line ends around it: that of `tokenFile`, if it holds
/// one.
///
/// # Errors
/// The server has no scheme, or the token fits no header.
pub(super) fn with_token(mut config: Config) -> Result<Config, &'static str> {
    if !matches!(config.cluster_url.scheme_str(), Some("http" | "https")) {
        return Err("the server of the kubeconfig must begin with http:// or https://");
    }
    let user = &mut config.auth_info;
    let file = user.token_file.as_ref();
    let file = file.and_then(|file| std::fs::read_to_string(file).ok());
    let file = file.filter(|text| !text.trim().is_empty());
    let given = user.token.as_ref().map(ExposeSecret::expose_secret);
    let Some(text) = file.as_deref().or(given) else {
        return Ok(config);
    };
    let token = SecretString::from(text.trim());
    if HeaderValue::from_str(token.expose_secret()).is_err() {
        return Err("the token of the kubeconfig holds a character that no header may hold");
    }
    if file.is_some_and(|file| file == token.expose_secret()) {
        // kube reads it again each minute, and sends it as it is.
        user.token = None;
    } else {
        user.token = Some(token);
        user.token_file = None;
    }
    Ok(config)
}
