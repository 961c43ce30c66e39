#!/bin/sh
# The calls that a drill of runbooks/terragrunt-rebuild.yaml makes, and nothing around them: $1 terragrunt, $2 the units, $3 a folder to work in.
set -eu
tg=$1 code=$2 work=$3
bucket=$AWS_ENDPOINT_URL_S3/$STATE_BUCKET
common="--non-interactive --no-color --download-dir $work/cache --tf-path $(command -v terraform)"
mkdir -p "$work"
cd "$code"

versions() { "$tg" --version; terraform version -json; terraform version; }
find_units() { "$tg" find --json --dag --dependencies --no-color --non-interactive; }
# In each unit, four side by side.
each() {
  for unit in network cache keys cluster dns ingress nodes queue services; do echo "$unit"; done |
    xargs -P 4 -I UNIT sh -c "cd UNIT && '$tg' run --non-interactive --no-color --download-dir $work/reading --tf-path \"\$(command -v terraform)\" -- $*"
}
filters() { for unit in "$@"; do printf ' --filter=./%s' "$unit"; done; }
# plan <name> <units or -> <arguments of terraform>...
plan() {
  name=$1 units=$2; shift 2
  only=; [ "$units" = - ] || only=$(filters $units)
  find_units
  code=0
  "$tg" run --all $common --report-file "$work/$name.json" --report-format json --parallelism 4 --out-dir "$work/$name" --json-out-dir "$work/$name-json" $only -- plan -detailed-exitcode -no-color "$@" || code=$?
  [ "$code" = 0 ] || [ "$code" = 2 ]
}
apply() { "$tg" run --all $common --report-file "$work/apply.json" --report-format json --parallelism 4 --out-dir "$work/$1" $(filters $2) -- apply -no-color; }
release() {
  plan "$1" services "-target=terraform_data.release[\"$2\"]"
  (cd services && "$tg" run --non-interactive --no-color --download-dir "$work/reading" -- state pull)
  apply "$1" services
}

versions
versions
find_units
curl -fsS -X PUT "$bucket" > /dev/null
plan all -
each state pull
apply all 'network dns keys'
plan second 'cluster cache queue'
apply second 'cluster cache queue'
plan third 'nodes ingress services'
apply third 'nodes ingress services'
export ENABLE_CNPG=true
release cnpg cloudnative-pg
export ENABLE_HA_SUPABASE_DB=true
release database ha-supabase-db
export ENABLE_SUPABASE=true
release application supabase
find_units
each output -json -no-color
plan drift -
each state pull
plan removal - -destroy
apply removal 'nodes ingress services'
apply removal 'cluster cache queue'
apply removal 'network dns keys'
find_units
each state pull
each state pull
