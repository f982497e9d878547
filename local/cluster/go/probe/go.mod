// Answers on a port, or tries to reach one: what tests of a cluster's network are made of.
module trilens/cluster/probe

go 1.26.0
