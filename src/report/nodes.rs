//! The nodes of a run as the content of `nodes.json`.

use serde::{Deserialize, Serialize};

use super::Unreadable;
use crate::model::{CoreId, NodeInfo, PeerId, Resources, Standby, SubclusterId};

/// The form of `nodes.json` that this version writes and reads.
pub const NODES_VERSION: u32 = 1;

/// The content of `nodes.json`: one object and a line break.
#[must_use]
pub fn nodes_to_json(nodes: &[NodeInfo]) -> String {
    let line = |info: &NodeInfo| Node {
        node: info.node.0,
        subcluster: info.subcluster.0,
        host: info.host.clone(),
        pid: info.pid,
        cores: info.cores.iter().map(|core| core.0).collect(),
        pinned: info.pinned,
        standby: match info.standby {
            Standby::No => None,
            Standby::Now => Some(StandbyForm::Now),
            Standby::Was => Some(StandbyForm::Was),
        },
    };
    let form = Form { version: NODES_VERSION, nodes: nodes.iter().map(line).collect() };
    let mut text = serde_json::to_string_pretty(&form).expect("nodes have only text as keys");
    text.push('\n');
    text
}

/// The nodes that `nodes.json` holds; what they have for tasks is taken to be their cores.
///
/// # Errors
/// If it is not JSON, of another version, or lacks something.
pub fn nodes_from_json(text: &str) -> Result<Vec<NodeInfo>, Unreadable> {
    let unreadable = |problem: String| Unreadable { expected: "the nodes of a run", problem };
    let form: Form = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    if form.version != NODES_VERSION {
        let (theirs, known) = (form.version, NODES_VERSION);
        return Err(unreadable(format!("it has version {theirs}, and this is for {known}")));
    }
    let info = |node: Node| NodeInfo {
        node: PeerId(node.node),
        subcluster: SubclusterId(node.subcluster),
        host: node.host,
        pid: node.pid,
        capacity: Resources::cores(node.cores.len() as u64),
        cores: node.cores.into_iter().map(CoreId).collect(),
        pinned: node.pinned,
        standby: match node.standby {
            None => Standby::No,
            Some(StandbyForm::Now) => Standby::Now,
            Some(StandbyForm::Was) => Standby::Was,
        },
    };
    Ok(form.nodes.into_iter().map(info).collect())
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u32,
    nodes: Vec<Node>,
}

#[derive(Serialize, Deserialize)]
struct Node {
    node: u32,
    subcluster: u32,
    host: String,
    pid: u32,
    cores: Vec<u32>,
    pinned: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standby: Option<StandbyForm>,
}

/// Whether a node stands by, or did so to its end.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StandbyForm {
    Now,
    Was,
}
