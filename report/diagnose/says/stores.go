package says

// storeWords are what stores say in words that the vocabulary does not have: Redis and
// those that speak its protocol, memcached, Elasticsearch, MongoDB, Cassandra, LDAP, etcd.
var storeWords = []wording{
	{Starting, Behind, []string{"is loading the dataset in memory", "link with master is down", "hash slot not served", "error in election", "node is not initialized", "cluster is down", "not all slots"}},
	{ReadOnly, Behind, []string{"against a read only replica", "is configured to save rdb snapshots", "errors writing to the aof", "not enough good replicas", "cannot write to a read-only", "server is in read only mode", "blocked by: [forbidden/", "not master and slaveok=false"}},
	{Late, Behind, []string{"is busy running a script", "is busy running a function", "unkillable sorry", "operation exceeded time limit", "operation timed out - received only"}},
	{Store, Behind, []string{
		"server_error out of memory", "server_error object too large for cache", "maximum normal shards open", "maximum shards open", "memory limit (total) exceeded", "memory limit (for query) exceeded", "would use more memory than",
		"exceeded memory limit for", "unable to extend", "maximum open cursors exceeded",
	}},
	{Connections, Behind, []string{"err max number of clients", "error: too many open connections", "maximum connections exceeded", "maximum account active connections exceeded", "too many simultaneous queries", "session limit exceeded"}},
	{Slow, Behind, []string{"server_error timeout", "cassandra timeout during"}},
	{NoServer, Behind, []string{"no node available", "no nodes available", "none of the configured nodes", "cannot achieve consistency level", "no host available", "no replica set members", "no primary found", "etcdserver: no leader", "no shard available", "all shards failed", "not enough replicas available for query"}},
	{Credentials, Behind, []string{"invalid username/password pair", "client sent auth, but no password is set", "etcdserver: invalid auth token", "ldap: error code 49", "ldap result code 49"}},
	{Forbidden, Behind, []string{"this user has no permissions to", "etcdserver: permission denied", "ldap: error code 50", "ldap result code 50"}},
	{SlowReader, Behind, []string{"overcoming of output buffer limits", "client-output-buffer-limit … reached"}},
}

// storeNames are codes and classes of errors: the prefixes of Redis' replies, the code
// names of MongoDB, the types of Elasticsearch, the names of ClickHouse, the classes of
// clients.
var storeNames = []naming{
	{ReadOnly, Behind, "MISCONF NOREPLICAS NotWritablePrimary NotPrimaryNoSecondaryOk NotPrimaryOrSecondary PrimarySteppedDown UnsatisfiableWriteConcern cluster_block_exception TABLE_IS_READ_ONLY RedisReadOnly ReadOnlyError ReadOnlyReplicaError"},
	{Starting, Behind, "MASTERDOWN CLUSTERDOWN ShutdownInProgress InterruptedAtShutdown InterruptedDueToReplStateChange NotYetInitialized RedisLoading BusyLoadingError BusyLoading ClusterDownError MasterDownError CannotConnectNow"},
	{Late, Behind, "UNKILLABLE RedisBusy ExceededTimeLimit MaxTimeMSExpired TIMEOUT_EXCEEDED process_cluster_event_timeout_exception QueryTimeoutException"},
	{Credentials, Behind, "NOAUTH WRONGPASS AuthenticationFailed REQUIRED_PASSWORD WRONG_PASSWORD AUTHENTICATION_FAILED invalidCredentials WrongPassError LDAPInvalidCredentialsResult"},
	{Forbidden, Behind, "NOPERM DATABASE_ACCESS_DENIED insufficientAccessRights NoPermissionError"},
	{Store, Behind, "circuit_breaking_exception MEMORY_LIMIT_EXCEEDED ExceededMemoryLimit too_many_scroll_contexts_exception too_many_buckets_exception"},
	{Disk, Behind, "OutOfDiskSpace NOT_ENOUGH_SPACE"},
	{Queue, Writer, "es_rejected_execution_exception rejected_execution_exception TOO_MANY_SIMULTANEOUS_QUERIES OverloadedException"},
	{Locking, Behind, "WriteConflict LockBusy WriteConflictError"},
	{Schema, Behind, "WRONGTYPE index_not_found_exception mapper_parsing_exception document_parsing_exception strict_dynamic_mapping_exception UNKNOWN_TABLE UNKNOWN_IDENTIFIER NO_SUCH_COLUMN_IN_TABLE UNKNOWN_DATABASE DocumentValidationFailure SyntaxErrorOrAccessRuleViolation"},
	{Large, Writer, "BSONObjectTooLarge InvalidBSONObjectTooLarge DocumentTooLarge"},
	{Rate, Writer, "QUOTA_EXCEEDED ProvisionedThroughputExceeded RequestLimitExceeded ThrottlingException ThrottledException RequestThrottled RequestThrottledException TooManyRequestsException SlowDownException"},
	{NoServer, Behind, "unavailable_shards_exception no_shard_available_action_exception no_node_available_exception master_not_discovered_exception ALL_CONNECTION_TRIES_FAILED FailedToSatisfyReadPreference MongoServerSelectionError ServerSelectionTimeoutError NoHostAvailable AllNodesFailed JedisNoReachableClusterNode ClusterAllFailedError"},
	{Pool, Writer, "WaitQueueTimeoutError MongoWaitQueueTimeout JedisExhaustedPool BusyPoolException BusyConnectionException RedisPoolExhausted"},
	{Slow, Behind, "receive_timeout_transport_exception MongoNetworkTimeout RedisCommandTimeout RedisTimeout SOCKET_TIMEOUT OperationTimedOutException NetworkTimeout"},
	{Closed, Behind, "node_disconnected_exception node_not_connected_exception ConnectionLossException PoolClearedError MongoPoolClearedError"},
	{Name, Writer, "HostNotFound"},
	{SlowReader, Behind, "ConsumerTooSlow"},
}

// ldapCodes are results of LDAP (RFC 4511).
var ldapCodes = map[int]coded{
	3: {Late, Behind, false}, 49: {Credentials, Behind, false}, 50: {Forbidden, Behind, false}, 51: {Queue, Writer, true}, 52: {Starting, Behind, true}, 81: {Refused, Behind, true}, 85: {Slow, Behind, true}, 91: {NoConnect, Behind, true},
}
