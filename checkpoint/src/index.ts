// The public interface of @amalgam/checkpoint: safetensors and Hugging Face checkpoints in, atomically published models out.
export { type Adapter, type AdapterModule, isAdapterDirectory, openAdapter } from "./adapter.ts";
export type { AdapterConfig } from "./adapter-config.ts";
export {
  type Artefact,
  type ArtefactTask,
  artefactName,
  artefactText,
  maskFile,
  maskTensor,
  readArtefact,
  tasksPerMaskFile,
  unprefixedMasks,
  vectorFile,
} from "./artefact.ts";
export {
  type Checkpoint,
  type CheckpointFile,
  openCheckpoint,
  openCheckpointFile,
  openTensorFile,
  readSideFile,
  resolveTensor,
  type TensorRef,
} from "./checkpoint.ts";
export { type CompareOptions, type Comparison, compareCheckpoints } from "./compatible.ts";
export { readDataFiles } from "./data-files.ts";
export { decodeToFloat64 } from "./decode.ts";
export {
  type Derivation,
  type DerivedSource,
  derivedDType,
  type Factor,
  type LowRank,
  type StoredMatrix,
} from "./derived.ts";
export { type CheckpointDiff, type DiffOptions, type Distance, diffCheckpoints } from "./diff.ts";
export { sha256Bytes, sha256Range } from "./digest.ts";
export {
  allDTypes,
  type DType,
  type DTypeKind,
  dtypeBytes,
  dtypeKind,
  elementCount,
  isDType,
  isFloat,
  parseDTypeName,
  refusedDTypeReason,
  tensorBytes,
  torchDTypeName,
} from "./dtype.ts";
export {
  CheckpointError,
  type CheckpointErrorInit,
  CheckpointProblems,
  isDiskFull,
  problemsOf,
  quoteName,
  throwProblems,
} from "./errors.ts";
export { parseHeader, type SafetensorsHeader, type TensorInfo } from "./header.ts";
export { parseIndex, type SafetensorsIndex } from "./index-file.ts";
export { contentDigest, fileVersion, localFingerprint, recordInputs, remoteVersion } from "./input-identity.ts";
export {
  type AdapterReport,
  type CheckpointReport,
  inspectAdapter,
  inspectCheckpoint,
  type Totals,
} from "./inspect.ts";
export { isJsonObject, parseJson, parseJsonObject } from "./json-file.ts";
export type { JsonObject, JsonValue } from "./json-scanner.ts";
export { layerOf } from "./layer.ts";
export {
  type ByteRange,
  type FileLayout,
  layoutFile,
  type OutputFile,
  type OutputLayout,
  planNamedFiles,
  planOutputFiles,
  type TensorSpec,
} from "./layout.ts";
export { isRemote } from "./location.ts";
export {
  type FileRecord,
  type InputFileRecord,
  type InputRecord,
  type Manifest,
  manifestName,
  manifestText,
  type Provenance,
  parseManifest,
  type TensorRecord,
} from "./manifest.ts";
export { type ModelCard, modelCard, type Score, type ScoreTable } from "./model-card.ts";
export { isBeforeLayers, type LayerPlace, layerPlace, type ModelModule, moduleNamed, modulesOf } from "./modules.ts";
export { isFileSource, isRemoteSource, type OpenSourceOptions, openSource } from "./open-source.ts";
export { checkOutput, readManifest, resolveOutput } from "./output-directory.ts";
export { type PublishOptions, type PublishStep, type SideFile, sealAndPublish } from "./publish.ts";
export { openRangeWriter, type RangeWriter } from "./range-writer.ts";
export { type HeaderRead, readHeader } from "./read-header.ts";
export {
  canonicalReference,
  fileInLocation,
  pinnedReference,
  referenceName,
  resolveReference,
} from "./reference.ts";
export { cutRuns, type RowRun, type RowRuns, type RowTerm, RunBuilder, readRuns } from "./row-runs.ts";
export { openScratch, type Scratch } from "./scratch.ts";
export { collectSideFiles } from "./side-file-copy.ts";
export { isLicence, isSideFile } from "./side-files.ts";
export {
  type ByteSource,
  type CheckpointSource,
  type FileIdentity,
  type FileSource,
  type OpenFileOptions,
  openFileSource,
  type ReadOptions,
  type RemoteIdentity,
  type RemoteSource,
  type SourceIdentity,
  sameIdentity,
} from "./source.ts";
export type { MergedPiece } from "./staged-digests.ts";
export { createStaging, findPublished, type Staging, type StagingOptions } from "./staging.ts";
export { createTensorFile, type TensorFileWriter } from "./tensor-file.ts";
export { isDerivedBuffer, type TiedGroup, tiedGroups } from "./tied.ts";
export {
  configOfUnion,
  isChatTemplate,
  isSlowVocabulary,
  isTokenizerFile,
  templateOf,
} from "./tokenizer/files.ts";
export {
  type ModelRows,
  planRows,
  type RowPlan,
  type TokenRule,
  type VocabularyOfModel,
} from "./tokenizer/rows.ts";
export { readTokenizer, type Tokenizer } from "./tokenizer/tokenizer.ts";
export { type TokenizerOfModel, type UnitedTokenizer, uniteTokenizers } from "./tokenizer/union.ts";
export { isVocabularyTensor, vocabularyTensors } from "./tokenizer/vocabulary-tensors.ts";
export { withVocabulary } from "./tokenizer/with-vocabulary.ts";
export { verifyPublished } from "./verify-published.ts";
export { withAdapter } from "./with-adapter.ts";
