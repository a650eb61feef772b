//! `evenkeel topo`.

use serde_json::Value;

use crate::scratch::{Finished, Scratch};

const SYNTHETIC: &str = "package:2 numa:2 l3:1 core:2 pu:2";

fn topo(scratch: &Scratch, args: &[&str]) -> Finished {
    let mut command = scratch.command(args);
    command.env("HWLOC_SYNTHETIC", SYNTHETIC);
    scratch.start_command(command).wait().expect(0)
}

#[test]
fn a_described_machine_is_shown() {
    let scratch = Scratch::new();
    insta::assert_snapshot!("topo", topo(&scratch, &["topo"]).shown(&scratch));
    insta::assert_snapshot!(
        "topo_nodes",
        topo(&scratch, &["topo", "--nodes", "3"]).shown(&scratch)
    );
}

#[test]
fn json_of_the_topology_parses_and_has_all_cores() {
    let scratch = Scratch::new();
    let json: Value = serde_json::from_str(&topo(&scratch, &["topo", "--json"]).stdout).unwrap();
    let cores = |topology: &Value| -> Vec<u64> {
        let domains = topology["domains"].as_array().unwrap().iter();
        let cores = domains.flat_map(|domain| domain["cores"].as_array().unwrap());
        cores.map(|core| core["id"].as_u64().unwrap()).collect()
    };
    let all = [0, 2, 4, 6, 8, 10, 12, 14];
    assert_eq!(cores(&json["topology"]), all);
    assert_eq!(cores(&json["allowed"]), all);
    assert_eq!(json["nodes"][0]["cores"], serde_json::json!(all));
    assert_eq!((&json["real"], &json["workers"]), (&false.into(), &8.into()));
    let real = scratch.run(&["topo", "--json"]).expect(0);
    let real: Value = serde_json::from_str(&real.stdout).unwrap();
    assert_eq!(real["real"], true);
    assert!(!cores(&real["allowed"]).is_empty());
}
