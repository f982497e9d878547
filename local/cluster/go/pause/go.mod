// Holds a pod's namespaces open while its containers come and go.
module trilens/cluster/pause

go 1.26.0
