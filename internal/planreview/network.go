package planreview

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// world are the ranges that mean everybody.
var world = map[string]bool{"0.0.0.0/0": true, "::/0": true}

func network(c Change, documents documents) []note {
	var found []note
	switch c.Type {
	case "aws_vpc_security_group_ingress_rule", "aws_vpc_security_group_egress_rule", "aws_security_group_rule":
		found = append(found, opened(ruleOf(c.Type, c.before), ruleOf(c.Type, c.after))...)
	case "aws_security_group", "aws_default_security_group":
		found = append(found, inline(c)...)
	case "aws_route":
		found = append(found, routed(c)...)
	case "aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block":
		found = append(found, unblocked(c)...)
	case "aws_s3_bucket_acl":
		if acl := text(c.after["acl"]); strings.HasPrefix(acl, "public") && acl != text(c.before["acl"]) {
			found = append(found, note{text: "the bucket's ACL becomes " + acl})
		}
	case "aws_lambda_function_url":
		if c.after["authorization_type"] == "NONE" && c.before["authorization_type"] != "NONE" {
			found = append(found, note{text: "the function's URL may be called by anybody"})
		}
	case "aws_lb":
		if c.after != nil && c.after["internal"] == false && (c.before == nil || c.before["internal"] == true) {
			found = append(found, note{text: "the load balancer faces the internet"})
		}
	}
	found = append(found, exposed("", c.before, c.after)...)
	for _, p := range policiesOf(c, documents) {
		for _, s := range p.after.statements {
			if p.attribute == "assume_role_policy" {
				break // who may take a role is a permission
			}
			if s.allow && s.anybody() && len(s.conditions) == 0 && !p.before.covers(s) {
				found = append(found, note{text: p.attribute + ": anybody, without a condition, may " + brief(s.actions, 4)})
			}
		}
	}
	return found
}

// rule is what a security-group rule lets through.
type rule struct {
	there   bool
	ingress bool
	ports   string
	from    float64
	to      float64
	any     bool
	// sources are ranges and prefix lists; security groups are not the network.
	sources []string
}

func ruleOf(typ string, v map[string]any) rule {
	if v == nil {
		return rule{}
	}
	r := rule{there: true, ingress: typ == "aws_vpc_security_group_ingress_rule" || v["type"] == "ingress"}
	protocol := show(v["ip_protocol"])
	if protocol == "" {
		protocol = show(v["protocol"])
	}
	r.from, _ = number(v["from_port"])
	r.to, _ = number(v["to_port"])
	switch r.any = protocol == "-1" || protocol == "all"; {
	case r.any:
		r.ports = "all traffic"
	case r.from == r.to:
		r.ports = fmt.Sprintf("%s %g", protocol, r.from)
	default:
		r.ports = fmt.Sprintf("%s %g-%g", protocol, r.from, r.to)
	}
	for _, key := range []string{"cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks", "prefix_list_id", "prefix_list_ids"} {
		switch value := v[key].(type) {
		case string:
			if value != "" {
				r.sources = append(r.sources, value)
			}
		case hole:
			if strings.HasPrefix(key, "cidr") || strings.HasPrefix(key, "prefix") {
				r.sources = append(r.sources, key+" "+string(value))
			}
		case []any:
			for _, one := range value {
				r.sources = append(r.sources, show(one))
			}
		}
	}
	return r
}

// within tells whether the other rule lets all of the source's traffic of this one through already.
func (r rule) within(source string, other rule) bool {
	if !other.there || r.ingress != other.ingress {
		return false
	}
	if !other.any && (r.any || r.from < other.from || r.to > other.to || protocolOf(r) != protocolOf(other)) {
		return false
	}
	return slices.ContainsFunc(other.sources, func(s string) bool { return contains(s, source) })
}

func protocolOf(r rule) string { first, _, _ := strings.Cut(r.ports, " "); return first }

// contains tells whether a range has all of another; prefix lists have only themselves.
func contains(outer, inner string) bool {
	if outer == inner {
		return true
	}
	o, err := netip.ParsePrefix(outer)
	if err != nil {
		return false
	}
	i, err := netip.ParsePrefix(inner)
	return err == nil && o.Bits() <= i.Bits() && o.Contains(i.Addr())
}

func opened(before rule, afters ...rule) []note {
	var found []note
	for _, after := range afters {
		for _, source := range after.sources {
			if !after.there || after.within(source, before) {
				continue
			}
			if n, ok := opens(before, after, source); ok {
				found = append(found, n)
			}
		}
	}
	return found
}

func opens(before, after rule, source string) (note, bool) {
	was := ""
	if before.there {
		was = fmt.Sprintf(", before %s of %s", before.ports, brief(before.sources, 4))
	}
	prefix, err := netip.ParsePrefix(source)
	private := err == nil && (prefix.Addr().IsPrivate() || prefix.Addr().IsLoopback()) && prefix.Bits() >= 8
	switch {
	case !after.ingress && world[source]:
		return note{text: fmt.Sprintf("%s may leave for the whole internet (%s)%s", after.ports, source, was),
			minor: !before.there}, true
	case !after.ingress:
		return note{}, false
	case world[source]:
		return note{text: fmt.Sprintf("%s is open to the whole internet (%s)%s", after.ports, source, was)}, true
	case private && !before.there:
		return note{}, false
	case private:
		return note{text: fmt.Sprintf("%s is open to %s%s", after.ports, source, was)}, true
	}
	return note{text: fmt.Sprintf("%s is open to %s%s", after.ports, source, was), minor: err != nil && !before.there}, true
}

// inline are the rules within a security group. Each is compared with the one before that is most like it.
func inline(c Change) []note {
	var found []note
	for _, way := range []string{"ingress", "egress"} {
		read := func(v map[string]any) []rule {
			var rules []rule
			for _, one := range asList(v[way]) {
				if m, ok := one.(map[string]any); ok {
					r := ruleOf("", m)
					r.ingress = way == "ingress"
					rules = append(rules, r)
				}
			}
			return rules
		}
		before := read(c.before)
		for _, after := range read(c.after) {
			for _, source := range after.sources {
				if slices.ContainsFunc(before, func(b rule) bool { return after.within(source, b) }) {
					continue
				}
				if n, ok := opens(rule{}, after, source); ok {
					found = append(found, n)
				}
			}
		}
	}
	return found
}

// routed says that a route leads to an internet gateway.
func routed(c Change) []note {
	gateway := show(c.after["gateway_id"])
	to := show(c.after["destination_cidr_block"]) + show(c.after["destination_ipv6_cidr_block"])
	if c.after == nil || gateway == "" || gateway == show(c.before["gateway_id"]) || !world[to] {
		return nil
	}
	if !strings.HasPrefix(gateway, "igw-") && (c.after["gateway_id"] != hole(unknown) || elsewhere(c.after)) {
		return nil
	}
	return []note{{text: "subnets get a route to the internet, and with it a way in for public addresses",
		minor: c.Action == Create}}
}

// elsewhere tells whether a route whose gateway is not known yet leads to something else.
func elsewhere(v map[string]any) bool {
	for _, key := range []string{"nat_gateway_id", "vpc_endpoint_id", "transit_gateway_id", "network_interface_id"} {
		if id, ok := v[key].(hole); ok && key == "nat_gateway_id" && id == unknown || text(v[key]) != "" {
			return true
		}
	}
	return false
}

// unblocked says what of a bucket's public access is not blocked any more.
func unblocked(c Change) []note {
	var off []string
	for _, key := range []string{"block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"} {
		if c.after[key] != true && (c.before == nil || c.before[key] == true) {
			off = append(off, key)
		}
	}
	if len(off) == 0 {
		return nil
	}
	return []note{{text: "public access to the bucket is not blocked any more: " + strings.Join(off, ", ") + " off"}}
}

// exposures are the attributes that give something a public address.
var exposures = map[string]string{
	"publicly_accessible":         "gets a public address",
	"map_public_ip_on_launch":     "gives whatever starts in it a public address",
	"associate_public_ip_address": "gets a public address",
	"assign_public_ip":            "gives its tasks public addresses",
}

func exposed(path string, before, after any) []note {
	var found []note
	switch a := after.(type) {
	case map[string]any:
		for _, key := range keys(a) {
			if text, ok := exposures[key]; ok {
				if a[key] == true && child(before, key) != true {
					found = append(found, note{text: join(path, key) + " is true: it " + text})
				}
				continue
			}
			found = append(found, exposed(join(path, key), child(before, key), a[key])...)
		}
	case []any:
		for i, one := range a {
			found = append(found, exposed(path, child(before, i), one)...)
		}
	}
	return found
}

// brief names the first few of a list.
func brief(list []string, most int) string {
	if len(list) == 0 {
		return "nothing"
	}
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
