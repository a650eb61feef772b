//! Hostfiles with groups.
#![cfg(feature = "files")]

use std::collections::BTreeSet;
use std::fmt::Write;

use evenkeel::model::HostGroups;
use evenkeel::spec::{Errors, Source, read_hostfile};
use proptest::prelude::*;

fn read(text: &str) -> Result<HostGroups, Errors> {
    read_hostfile(Source { name: "hosts", text })
}

/// The groups, each with its hosts.
fn shape(groups: &HostGroups) -> Vec<(&str, Vec<&str>)> {
    let all = groups.groups.iter();
    all.map(|group| (&*group.name, group.hosts.iter().map(String::as_str).collect())).collect()
}

#[test]
fn what_launchers_want_to_know_of_a_host_is_theirs() {
    let text = "\u{feff}# For Open MPI, MPICH and PBS at once.\r\n\
                #group: left\r\n\
                n1 slots=2 max_slots=4  # with a remark\r\n\
                me@n2:2 binding=user:0,1\r\n\
                n1\r\n\
                \r\n\
                  #  GROUP right-hand_side.2   # with a remark\r\n\
                \tn3.cluster.example 8\r\n\
                10.0.0.7:16\r\n\
                n3";
    let groups = read(text).unwrap();
    let expected =
        [("left", vec!["n1", "n2"]), ("right-hand_side.2", vec!["n3.cluster.example", "10.0.0.7"])];
    assert_eq!(shape(&groups), expected);
    assert_eq!(groups.source, "hosts");
    let found = ["N1.cluster.example", "n3", "10.0.0.7", "10.0.0.8", "n4"];
    assert_eq!(found.map(|name| groups.find(name)), [Some(0), Some(1), Some(1), None, None]);
}

#[test]
fn comments_that_only_look_like_groups_are_comments() {
    let groups =
        read("# Groups are by rack\n# group a\nn1\n# ungrouped\n## group b\nn2\n").unwrap();
    assert_eq!(shape(&groups), [("a", vec!["n1", "n2"])]);
}

/// Groups of hosts, of which each may be named several times, in one of the forms that there are.
fn files() -> impl Strategy<Value = Vec<Vec<(u16, u8)>>> {
    prop::collection::vec(prop::collection::vec((0u16..2000, any::<u8>()), 1..8), 1..8)
}

fn line(host: &str, form: u8) -> String {
    match form % 8 {
        0 => format!("{host} slots={form}"),
        1 => format!("{host}:{form}"),
        2 => format!("me@{host}"),
        3 => format!("  {}.cluster.example", host.to_uppercase()),
        4 => format!("{host}\t{form} # group none"),
        5 => format!("{host}\n{host}"),
        6 => format!("# {host} is the next\n\n{host}"),
        _ => host.to_owned(),
    }
}

proptest! {
    #[test]
    fn each_host_is_in_the_group_below_which_it_was_written(file in files()) {
        let (mut text, mut seen) = (String::new(), BTreeSet::new());
        let mut expected = Vec::new();
        for (i, hosts) in file.iter().enumerate() {
            writeln!(text, "# group g{i}").unwrap();
            let before = expected.len();
            // One that another group has is another host here.
            for (host, form) in hosts {
                let name = format!("n{}", if seen.insert(*host) { *host } else { 5000 + i as u16 });
                writeln!(text, "{}", line(&name, *form)).unwrap();
                expected.push((name, i));
            }
            prop_assert!(expected.len() > before);
        }
        let groups = read(&text).unwrap();
        prop_assert_eq!(groups.groups.len(), file.len());
        for (host, group) in expected {
            prop_assert_eq!(groups.find(&host), Some(group), "{} in {}", host, text);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic_and_no_host_is_in_two_groups(
        words in prop::collection::vec(
            prop::sample::select(&[
                "# group a", "# group b", "#group", "#", "n1", "n2.x", "N2", "n2.y", ":", "@", "me@n1",
                "n1:4", "é", "slots=2", "\n", "\n", "\r\n", "\t", "[a]", "-", "10.0.0.1", "::1",
            ][..]),
            0..40,
        ),
    ) {
        let text = words.join(" ").replace(" \n ", "\n");
        match read(&text) {
            Ok(groups) => {
                for (i, group) in groups.groups.iter().enumerate() {
                    for host in &group.hosts {
                        prop_assert_eq!(groups.find(host), Some(i));
                    }
                }
            }
            Err(errors) => prop_assert!(errors.count() > 0 && !errors.to_string().is_empty()),
        }
    }
}
