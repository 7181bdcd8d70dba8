#include "server/storage/envelope.h"

#include <fmt/format.h>

#include "server/storage/byte_codec.h"

namespace quorate {
namespace {

constexpr uint64_t kEnvelopeFormat = 1;
constexpr uint64_t kChecksumSeed = 0;

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(fmt::format("damaged value record: {}", what));
}

}  // namespace

std::string EncodeEnvelope(const Envelope& envelope) {
  std::string out;
  out.reserve(48 + envelope.version_vector.size() + envelope.transaction.size() +
              envelope.value.size());
  AppendBigEndian<1>(&out, kEnvelopeFormat);
  out.append(envelope.version.view());
  AppendBigEndian<8>(&out, envelope.expiry_us);
  AppendBigEndian<1>(&out, 0);  // flags: none is defined yet
  AppendBigEndian<8>(&out, envelope.key_hash);
  AppendLengthPrefixed(&out, envelope.version_vector);
  AppendLengthPrefixed(&out, envelope.transaction);
  out.append(envelope.value);
  AppendChecksum(&out, kChecksumSeed);
  return out;
}

absl::StatusOr<Envelope> DecodeEnvelope(std::string_view bytes) {
  if (bytes.empty()) return Damaged("no bytes");
  if (!CheckAndStripChecksum(&bytes, kChecksumSeed)) return Damaged("checksum mismatch");
  ByteReader reader(bytes);
  uint64_t format = 0;
  if (!reader.Read<1>(&format) || format == 0) return Damaged("no format byte");
  if (format > kEnvelopeFormat) {
    return absl::UnimplementedError(fmt::format(
        "value record has format {}, this version knows up to {}; start a newer version of Quorate",
        format, kEnvelopeFormat));
  }
  Envelope envelope;
  std::string_view version;
  uint64_t flags = 0;
  if (!reader.ReadBytes(Version::kSize, &version) || !reader.Read<8>(&envelope.expiry_us) ||
      !reader.Read<1>(&flags) || !reader.Read<8>(&envelope.key_hash)) {
    return Damaged("cut short");
  }
  if (flags != 0) return Damaged(fmt::format("unknown flags {:#x}", flags));
  envelope.version = *Version::FromBytes(version);
  if (!reader.ReadLengthPrefixed(&envelope.version_vector)) return Damaged("version vector");
  if (!reader.ReadLengthPrefixed(&envelope.transaction)) return Damaged("transaction field");
  envelope.value = reader.rest();
  return envelope;
}

}  // namespace quorate
