from typing import Any

from local.cluster.rules import chains_of, render
from local.cluster.selection import Pod, World
from tests.local.cluster.packets import Packet, passes

GATEWAY = Pod("vision", "198.19.0.2", {"app": "gateway"}, {"grpc": 50051})
DETECTOR = Pod("vision", "198.19.0.3", {"app": "detector", "tier": "model"}, {"grpc": 50052})
STRANGER = Pod("other", "198.19.0.4", {"app": "gateway"}, {})
NAMESPACES = {"vision": {"team": "a"}, "other": {"team": "b"}}
WORLD = World((GATEWAY, DETECTOR, STRANGER), NAMESPACES)
NODE = "198.18.0.1"

Json = dict[str, Any]


def policy(selector: Json, namespace: str = "vision", **spec: Any) -> Json:
    types = [kind for kind in ("Ingress", "Egress") if kind.lower() in spec]
    return {
        "metadata": {"namespace": namespace},
        "spec": {"podSelector": selector, "policyTypes": types, **spec},
    }


def reaches(
    policies: list[Json], source: Pod, target: Pod | str, port: int = 50052, protocol: str = "tcp"
) -> bool:
    to_node = target == NODE
    address = target if isinstance(target, str) else target.address
    packet = Packet(source.address, address, port, protocol)
    hook = "TRILENS-INPUT" if to_node else "TRILENS-FORWARD"
    return passes(render(WORLD, policies, ()), hook, packet)


def test_pods_without_a_policy_talk_to_everybody():
    assert reaches([], GATEWAY, DETECTOR)
    assert reaches([], GATEWAY, NODE)
    assert reaches([], GATEWAY, "203.0.113.7")


def test_a_pod_whose_labels_are_not_known_yet_talks_to_nobody():
    early = Pod("vision", "198.19.7.7", {}, {})

    assert not reaches([], early, DETECTOR)
    assert not reaches([], DETECTOR, early)
    assert not reaches([], early, NODE)


def test_a_policy_that_allows_nothing_closes_its_pods_and_no_others():
    closed = [policy({"matchLabels": {"app": "detector"}}, ingress=[])]

    assert not reaches(closed, GATEWAY, DETECTOR)
    assert reaches(closed, DETECTOR, GATEWAY)
    assert reaches(closed, STRANGER, GATEWAY)


def test_a_policy_is_about_the_pods_of_its_own_namespace():
    closed = [policy({}, namespace="other", ingress=[])]

    assert reaches(closed, STRANGER, DETECTOR)
    assert not reaches(closed, GATEWAY, STRANGER)


def test_peers_are_of_the_same_namespace_unless_the_policy_says_otherwise():
    peer = {"podSelector": {"matchLabels": {"app": "gateway"}}}
    same = [policy({}, ingress=[{"from": [peer]}])]
    any_namespace = [policy({}, ingress=[{"from": [{**peer, "namespaceSelector": {}}]}])]
    of_team = {"namespaceSelector": {"matchLabels": {"team": "b"}}}

    assert reaches(same, GATEWAY, DETECTOR)
    assert not reaches(same, STRANGER, DETECTOR)
    assert reaches(any_namespace, STRANGER, DETECTOR)
    assert reaches([policy({}, ingress=[{"from": [of_team]}])], STRANGER, DETECTOR)
    assert not reaches([policy({}, ingress=[{"from": [of_team]}])], GATEWAY, DETECTOR)


def test_policies_about_the_same_pod_add_up():
    first = policy({}, ingress=[{"ports": [{"port": 1}]}])
    second = policy({}, ingress=[{"ports": [{"port": 2}]}])

    assert reaches([first, second], GATEWAY, DETECTOR, 1)
    assert reaches([first, second], GATEWAY, DETECTOR, 2)
    assert not reaches([first, second], GATEWAY, DETECTOR, 3)


def test_both_ends_have_to_allow_a_connection():
    out = policy({"matchLabels": {"app": "gateway"}}, egress=[{"to": [{"podSelector": {}}]}])
    closed = policy({"matchLabels": {"app": "detector"}}, ingress=[])

    assert reaches([out], GATEWAY, DETECTOR)
    assert not reaches([out], GATEWAY, STRANGER)
    assert not reaches([out, closed], GATEWAY, DETECTOR)


def test_ports_are_numbers_ranges_names_and_of_a_protocol():
    ports = [
        {"port": 53, "protocol": "UDP"},
        {"port": 8000, "endPort": 8010},
        {"port": "grpc"},
    ]
    allowed = [policy({}, ingress=[{"ports": ports}])]

    assert reaches(allowed, GATEWAY, DETECTOR, 53, "udp")
    assert not reaches(allowed, GATEWAY, DETECTOR, 53)
    assert reaches(allowed, GATEWAY, DETECTOR, 8010)
    assert not reaches(allowed, GATEWAY, DETECTOR, 8011)
    assert reaches(allowed, GATEWAY, DETECTOR, 50052)
    assert not reaches(allowed, GATEWAY, DETECTOR, 50051)  # the gateway's own


def test_a_named_port_of_the_other_end_is_that_ends_number():
    allowed = [policy({}, egress=[{"ports": [{"port": "grpc"}]}])]

    assert reaches(allowed, GATEWAY, DETECTOR, 50052)
    assert not reaches(allowed, GATEWAY, DETECTOR, 50051)
    assert reaches(allowed, DETECTOR, GATEWAY, 50051)


def test_blocks_of_addresses_have_holes():
    block = {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}
    allowed = [policy({}, egress=[{"to": [block]}])]

    assert reaches(allowed, GATEWAY, "203.0.113.1")
    assert not reaches(allowed, GATEWAY, "203.0.113.200")
    assert not reaches(allowed, GATEWAY, "198.51.100.1")


def test_what_a_pod_sends_to_the_node_is_asked_for_and_answers_are_not():
    closed = [policy({}, egress=[], ingress=[])]

    assert not reaches(closed, GATEWAY, NODE)
    probe = Packet(NODE, DETECTOR.address, 50052)  # goes out through OUTPUT, which has no rules
    assert "OUTPUT" not in render(WORLD, closed, ())
    assert not passes(render(WORLD, closed, ()), "TRILENS-FORWARD", probe)


def test_expressions_select_as_the_api_says():
    def hits(operator: str, key: str, *values: str) -> bool:
        expression = {"key": key, "operator": operator, "values": list(values)}
        peer = {"podSelector": {"matchExpressions": [expression]}}
        return reaches([policy({}, ingress=[{"from": [peer]}])], DETECTOR, GATEWAY)

    assert hits("In", "app", "detector", "captioner")
    assert not hits("NotIn", "app", "detector")
    assert hits("NotIn", "zone", "a")  # without the label, too
    assert hits("Exists", "tier")
    assert not hits("DoesNotExist", "tier")


def test_chains_of_pods_that_have_gone_are_removed():
    closed = [policy({}, ingress=[])]
    before = chains_of(render(WORLD, closed, ()))
    after = render(World((GATEWAY,), NAMESPACES), closed, before)

    assert len(before) == 2
    assert chains_of(after) < before
    assert f"-X {(before - chains_of(after)).pop()}" in after
