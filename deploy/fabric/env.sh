# Sourced by every script here: who is in the network, which ports they have, and how their processes are kept.
#
# DIR is the network's directory, the first argument of every script. What was chosen when the network was made is kept
# in DIR/settings and comes before the environment.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fail() { echo "error: $*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }

[ $# -ge 1 ] || fail "usage: $(basename "$0") DIR …; DIR is the network's directory"
mkdir -p "$1" || fail "cannot make $1"
DIR=$(cd "$1" && pwd -P)
shift

# shellcheck source=/dev/null
[ ! -e "$DIR/settings" ] || source "$DIR/settings"
: "${LAYOUT:=full}"
: "${HOSPITALS:=hospital-1 hospital-2 hospital-3}"
if [ "$LAYOUT" = small ]; then : "${MATCHERS:=matcher-1}"; else : "${MATCHERS:=matcher-1 matcher-2}"; fi
: "${PEERS:=}"
: "${CONSENSUS:=raft}"
: "${PORT_BASE:=17000}"
: "${CHANNEL:=semblance}"
: "${CHAINCODE:=semblance}"
: "${BATCH_TIMEOUT:=200ms}"
: "${JOINED:=}"

: "${FABRIC_BIN:?set FABRIC_BIN to the folder of peer, orderer, configtxgen, cryptogen, osnadmin, configtxlator and ccaas_builder}"
: "${FABRIC_CFG:?set FABRIC_CFG to the folder of the release\'s core.yaml and orderer.yaml}"
: "${FABRIC_LOGGING_SPEC:=warn:gossip=error}"
export FABRIC_LOGGING_SPEC

# The order never changes, because ports follow it: whoever joins comes last.
read -r -a FOUNDERS <<<"$HOSPITALS $MATCHERS"
read -r -a ORGANISATIONS <<<"$HOSPITALS $MATCHERS $JOINED"
case $CONSENSUS in raft) ORDERERS=3 ;; bft) ORDERERS=4 ;; *) fail "CONSENSUS is raft or bft, not $CONSENSUS" ;; esac

kind() { case " $MATCHERS ${JOINED_MATCHERS:-} " in *" $1 "*) echo matcher ;; *) echo hospital ;; esac; }
all_of() { local organisation; for organisation in "${ORGANISATIONS[@]}"; do [ "$(kind "$organisation")" != "$1" ] || echo "$organisation"; done; }
place() { local i; for i in "${!ORGANISATIONS[@]}"; do [ "${ORGANISATIONS[$i]}" != "$1" ] || { echo "$i"; return; }; done; fail "$1 is not in this network"; }
peers_of() { local pair; for pair in $PEERS; do [ "${pair%=*}" != "$1" ] || { seq 0 $((${pair#*=} - 1)); return; }; done; echo 0; }

# Ports: a hundred an organisation; ten a peer (+0 peer, +1 chaincode listen, +2 operations, +3 chaincode server,
# +4 its health), from 90 on its orderer (+0 orderer, +1 admin, +2 operations).
peer_port() { echo $((PORT_BASE + 100 * $(place "$1") + 10 * $2 + ${3:-0})); }
orderer_port() { echo $((PORT_BASE + 100 * $(place "$(orderer_of "$1")") + 90 + 3 * ($1 / ${#FOUNDERS[@]}) + ${2:-0})); }
orderer_of() { echo "${FOUNDERS[$(($1 % ${#FOUNDERS[@]}))]}"; }
orderer_name() { echo "orderer$1-$(orderer_of "$1")"; }
orderers() { seq 0 $((ORDERERS - 1)); }
ordering_organisations() { local i; for i in $(orderers); do orderer_of "$i"; done | awk '!seen[$0]++'; }

# Where cryptogen puts things.
crypto=$DIR/crypto
org_dir() { echo "$crypto/peerOrganizations/$1"; }
node_dir() { echo "$(org_dir "$1")/peers/$2.$1"; }
user_dir() { echo "$(org_dir "$1")/users/$2@$1"; }
tls_root() { echo "$(org_dir "$1")/tlsca/tlsca.$1-cert.pem"; }
orderer_org_dir() { echo "$crypto/ordererOrganizations/orderers.$1"; }
orderer_dir() { local org; org=$(orderer_of "$1"); echo "$(orderer_org_dir "$org")/orderers/orderer$1.orderers.$org"; }
orderer_tls_root() { local org; org=$(orderer_of "$1"); echo "$(orderer_org_dir "$org")/tlsca/tlsca.orderers.$org-cert.pem"; }

# Processes: one PID file each. A PID may have been given to somebody else since: ours has our working directory.
pid_file() { echo "$DIR/processes/$1.pid"; }
log_file() { echo "$DIR/logs/$1.log"; }
alive() { local pid; pid=$(cat "$(pid_file "$1")" 2>/dev/null) && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$DIR" ]; }
start_process() { # NAME command…
  local name=$1; shift
  if alive "$name"; then return; fi
  mkdir -p "$DIR/processes" "$DIR/logs"
  (cd "$DIR" && exec setsid "$@" >>"$(log_file "$name")" 2>&1 </dev/null) &
  echo $! >"$(pid_file "$name")"
}
end_process() { # NAME SIGNAL
  if alive "$1"; then
    kill "-$2" "$(cat "$(pid_file "$1")")" 2>/dev/null || true
    for _ in $(seq 300); do alive "$1" || break; sleep 0.1; done
    ! alive "$1" || fail "$1 does not end; see $(log_file "$1")"
  fi
  rm -f "$(pid_file "$1")"
}
wait_for_port() { # NAME PORT
  for _ in $(seq 300); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return; fi
    alive "$1" || fail "$1 ended; see $(log_file "$1")"
    sleep 0.1
  done
  fail "$1 does not listen at port $2; see $(log_file "$1")"
}

# The peer's command line as an organisation's administrator, against its first peer.
as_admin() { # ORGANISATION command…
  local org=$1 user; shift; user=$(user_dir "$org" Admin)
  FABRIC_CFG_PATH=$DIR/peers/peer0-$org CORE_PEER_LOCALMSPID=$org CORE_PEER_MSPCONFIGPATH=$user/msp \
    CORE_PEER_ADDRESS=127.0.0.1:$(peer_port "$org" 0) CORE_PEER_TLS_ENABLED=true \
    CORE_PEER_TLS_ROOTCERT_FILE=$(tls_root "$org") CORE_PEER_TLS_CLIENTAUTHREQUIRED=true \
    CORE_PEER_TLS_CLIENTCERT_FILE=$user/tls/client.crt CORE_PEER_TLS_CLIENTKEY_FILE=$user/tls/client.key "$@"
}
quietly() { local out; out=$("$@" 2>&1) || { printf '%s\n' "$out" >&2; fail "failed: ${*:2:6}"; }; }
at_orderer() { echo "--orderer 127.0.0.1:$(orderer_port "${1:-0}") --tls --cafile $(orderer_tls_root "${1:-0}")"; }
