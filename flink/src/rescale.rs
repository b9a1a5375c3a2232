//! The parallelism that was asked for, vertex by vertex; with the adaptive scheduler only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::{Call, JobManager};
use crate::error::Error;
use crate::id::{JobId, VertexId};
use crate::permit::Permit;
use crate::route::Route;

/// Bounds of one vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parallelism {
    /// With less the job does not run.
    pub lower_bound: u32,
    /// More is not used.
    pub upper_bound: u32,
}

#[derive(Serialize, Deserialize)]
struct Requirement {
    parallelism: Parallelism,
}

/// Bounds of all vertices of a job.
pub type ResourceRequirements = BTreeMap<VertexId, Parallelism>;

impl JobManager {
    /// Asks for the bounds that were put last, which need not be in effect.
    pub async fn resource_requirements(&self, job: JobId) -> Result<ResourceRequirements, Error> {
        let call = [&*job.to_string()];
        let answer: BTreeMap<VertexId, Requirement> = self
            .ask(Call::read(Route::ResourceRequirements, &call))
            .await?;
        Ok(answer
            .into_iter()
            .map(|(vertex, one)| (vertex, one.parallelism))
            .collect())
    }

    /// Puts the bounds of all vertices; Flink refuses a part of them.
    pub async fn put_resource_requirements(
        &self,
        job: JobId,
        bounds: &ResourceRequirements,
        permit: &Permit,
    ) -> Result<(), Error> {
        let body: BTreeMap<VertexId, Requirement> = bounds
            .iter()
            .map(|(&vertex, &parallelism)| (vertex, Requirement { parallelism }))
            .collect();
        let parameters = [&*job.to_string()];
        self.tell(Call::change(
            Route::PutResourceRequirements,
            &parameters,
            &body,
            permit,
        ))
        .await
    }
}
