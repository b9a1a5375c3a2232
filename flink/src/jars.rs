//! Jars of session clusters.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::body::RequestBody;
use crate::client::{Call, JobManager, Nothing};
use crate::error::{Error, NotSent};
use crate::id::JobId;
use crate::lenient::{UnixMillis, moment, or_default};
use crate::permit::Permit;
use crate::route::Route;
use crate::version::Claim;

/// Names an uploaded jar: `<uuid>_<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JarId(String);

impl JarId {
    /// Takes an id that Flink gave earlier.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says why a text cannot name a jar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "jar name {0:?}: use letters, digits, '-', '_' and '.', at most 128, with \".jar\" at the end"
)]
pub struct BadJarName(String);

/// The name under which a jar is uploaded.
///
/// With a name that is used once, an upload whose reply was lost can be found again in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JarName(String);

impl JarName {
    /// Accepts a name that needs no quoting anywhere.
    pub fn new(name: impl Into<String>) -> Result<Self, BadJarName> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let stem = name.strip_suffix(".jar").unwrap_or_default();
        if stem.is_empty() || stem.starts_with('.') || name.len() > 128 || !name.bytes().all(plain)
        {
            return Err(BadJarName(name.chars().take(128).collect()));
        }
        Ok(Self(name))
    }
}

/// An uploaded jar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jar {
    /// Its id.
    pub id: JarId,
    /// The name under which it was uploaded.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// When it was uploaded.
    #[serde(default, deserialize_with = "moment")]
    pub uploaded: Option<UnixMillis>,
}

/// Asks to run the `main` of a jar. Fields that a version does not know must be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRequest {
    /// The class with `main`; else the manifest's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    /// Its arguments.
    #[serde(rename = "programArgsList", skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// The parallelism, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// The id of the job; without it a repeated call makes a second job.
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Whether state of operators that are gone may be dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    /// What to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Who owns that, under the name that the version knows.
    #[serde(flatten)]
    pub claim: Option<Claim>,
    /// Configuration of the job; from 1.17.
    #[serde(
        rename = "flinkConfiguration",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub configuration: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Jars {
    files: Vec<Jar>,
}

#[derive(Deserialize)]
struct Uploaded {
    filename: String,
}

#[derive(Deserialize)]
struct Submitted {
    jobid: JobId,
}

impl JobManager {
    /// Lists the uploaded jars.
    pub async fn jars(&self) -> Result<Vec<Jar>, Error> {
        let Jars { files } = self.ask(Call::read(Route::Jars, &[])).await?;
        Ok(files)
    }

    /// Uploads a jar, read from the disk as it is sent.
    pub async fn upload_jar(
        &self,
        file: &Path,
        name: &JarName,
        permit: &Permit,
    ) -> Result<JarId, Error> {
        let route = Route::UploadJar;
        let boundary = boundary();
        let before = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; \
             filename=\"{}\"\r\nContent-Type: application/x-java-archive\r\n\r\n",
            name.0
        );
        let after = format!("\r\n--{boundary}--\r\n");
        let body = RequestBody::file(before, file, after, permit.clone())
            .await
            .map_err(|error| Error::NotSent {
                route,
                why: NotSent::File(error.to_string()),
            })?;
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let call = Call::with_body(route, body, content_type, permit);
        let Uploaded { filename } = self.ask(call).await?;
        match filename.rsplit('/').next() {
            Some(id) if !id.is_empty() => Ok(JarId(id.to_owned())),
            Some(_) | None => Err(Error::NotUnderstood {
                route,
                what: "expected a path that ends in the jar's id".to_owned(),
                at: "filename".to_owned(),
            }),
        }
    }

    /// Runs the `main` of a jar until it has submitted its job; gives the job's id.
    ///
    /// After any answer but this one, the job may exist nevertheless, running or failed.
    pub async fn run_jar(
        &self,
        jar: &JarId,
        request: &RunRequest,
        permit: &Permit,
    ) -> Result<JobId, Error> {
        let parameters = [jar.as_str()];
        let call = Call::change(Route::RunJar, &parameters, request, permit);
        let Submitted { jobid } = self.ask(call).await?;
        Ok(jobid)
    }

    /// Deletes a jar; jobs that were started from it don't mind.
    pub async fn delete_jar(&self, jar: &JarId, permit: &Permit) -> Result<(), Error> {
        let parameters = [jar.as_str()];
        self.tell(Call::change(
            Route::DeleteJar,
            &parameters,
            &Nothing {},
            permit,
        ))
        .await
    }
}

/// Makes a separator that no jar holds: 128 bits which its author cannot foresee.
fn boundary() -> String {
    let draw = || RandomState::new().hash_one(0_u8);
    format!("jar-{:016x}{:016x}", draw(), draw())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::version::{ClaimMode, FlinkVersion};

    #[test]
    fn only_plain_names_are_accepted() {
        assert!(JarName::new("a-b_c.1.jar").is_ok());
        for wrong in [
            "",
            ".jar",
            "..jar",
            "a.zip",
            "a\".jar",
            "a/b.jar",
            "ä.jar",
            "a\r\n.jar",
        ] {
            let error = JarName::new(wrong).unwrap_err();
            assert!(error.to_string().contains("jar name"), "{error}");
        }
    }

    #[test]
    fn what_is_not_set_is_not_written() {
        let json = |request: &RunRequest| serde_json::to_value(request).unwrap();
        assert_eq!(json(&RunRequest::default()), serde_json::json!({}));
        let full = RunRequest {
            arguments: vec!["--x".to_owned()],
            job: Some(JobId::from_bytes([1; 16])),
            claim: FlinkVersion::new(1, 18).claim(ClaimMode::NoClaim),
            ..RunRequest::default()
        };
        let expected = serde_json::json!({
            "programArgsList": ["--x"], "jobId": "01".repeat(16), "restoreMode": "NO_CLAIM",
        });
        assert_eq!(json(&full), expected);
    }

    #[test]
    fn boundaries_differ() {
        assert_ne!(boundary(), boundary());
    }
}
