package says

// rpcStatus is a status of gRPC. It names a kind and seldom a reason: what its description
// says counts first.
var rpcCodes = map[int]coded{
	4: {Slow, Behind, true}, 7: {Forbidden, Writer, true}, 8: {Rate, Writer, true}, 14: {NoServer, Behind, true}, 16: {Credentials, Writer, true},
}

// rpcWords are the same in words, where the words before them say that they are one.
var rpcWords = map[string]coded{
	"unavailable": rpcCodes[14], "deadlineexceeded": rpcCodes[4], "deadline_exceeded": rpcCodes[4], "resourceexhausted": rpcCodes[8], "resource_exhausted": rpcCodes[8],
	"permissiondenied": rpcCodes[7], "permission_denied": rpcCodes[7], "unauthenticated": rpcCodes[16],
}

// rpcNames are those that are a name by themselves.
var rpcNames = []naming{{Rate, Writer, "RESOURCE_EXHAUSTED"}, {Slow, Behind, "DEADLINE_EXCEEDED"}}

// weakNames are classes and codes that say what was tried, or that it failed, and not why:
// whatever stands beside them says more.
var weakNames = []naming{
	{Refused, Behind, "ConnectException HttpHostConnectException NewConnectionError RedisConnectionException CannotConnectError ConnectionNotEstablished SequelizeConnectionRefusedError ERR_CONNECT_FAIL"},
	{Closed, Behind, "CommunicationsException MongoNetworkError JedisConnectionException RemoteProtocolError ClientOSError ConnectionDoesNotExistError PROTOCOL_CONNECTION_LOST AMQPConnectionError ConnectionClosedError ConnectionDone"},
	{Pool, Writer, "SQLTransientConnectionException"},
	{NoConnect, Behind, "PoolInitializationException ConnectionFailed HostUnreachable"},
	{NoServer, Behind, "NoServersError ServiceUnavailableException"},
	{Slow, Behind, "AsyncRequestTimeoutException TaskCanceledException TimeoutException TimeoutError"},
	{Reset, Behind, "ECONNABORTED"},
	{Rate, Writer, "LimitExceededException"},
}
