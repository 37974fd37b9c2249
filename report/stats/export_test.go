package stats

// ClusterClass is the class of coverage that clusters belong to.
var ClusterClass = clusterClass
