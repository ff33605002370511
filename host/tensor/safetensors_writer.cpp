// SPDX-License-Identifier: MIT
// Writing safetensors files; see safetensors.hpp.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "tensor/aten.hpp"
#include "tensor/safetensors.hpp"
#include "tensor/safetensors_header.hpp"

namespace kdhost {
namespace {

// The data begin at a multiple of this many bytes in the file, so that a mapped tensor is aligned for vector loads.
constexpr std::size_t kDataAlignment = 64;
constexpr std::size_t kPrefixBytes = 8;

Error not_writable(const std::string& where, const std::string& what) {
  return Error(Exit::internal,
               Message{.where = where, .what = what, .expected = "Expected tensors that can be stored."});
}

std::string json_text(const std::string& text) { return nlohmann::json(text).dump(); }

std::string entry(const std::string& name, std::string_view dtype, at::IntArrayRef sizes, uint64_t begin,
                  uint64_t end) {
  std::string text = json_text(name) + R"(:{"dtype":")" + std::string(dtype) + R"(","shape":[)";
  for (std::size_t i = 0; i < sizes.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(sizes[i]);
  return text + R"(],"data_offsets":[)" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

// The JSON of the header, padded so that the data begin aligned. Throws nlohmann::json::exception for text that is not
// UTF-8.
std::string header_text(const std::vector<const NamedTensor*>& order, const Metadata& metadata, bool with_digest) {
  std::string header = "{";
  const auto separate = [&] {
    if (header.size() > 1) header += ",";
  };
  if (!metadata.empty()) header += R"("__metadata__":)" + nlohmann::json(metadata).dump();
  uint64_t offset = 0;
  for (const NamedTensor* tensor : order) {
    separate();
    const uint64_t end = offset + tensor->value.nbytes();
    header += entry(tensor->name, stored_dtype_name(tensor->value.scalar_type()), tensor->value.sizes(), offset, end);
    offset = end;
  }
  if (with_digest) {
    separate();
    header +=
        entry(std::string(kDigestName), "U8", {kDigestBytes}, offset, offset + static_cast<uint64_t>(kDigestBytes));
  }
  header += "}";
  header.append((kDataAlignment - (kPrefixBytes + header.size()) % kDataAlignment) % kDataAlignment, ' ');
  return header;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata, bool with_digest) {
  const std::string where = path.string();
  std::vector<const NamedTensor*> order;
  std::set<std::string_view> names{"__metadata__"};
  if (with_digest) names.insert(kDigestName);
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.value.defined() || stored_dtype_name(tensor.value.scalar_type()).empty())
      throw not_writable(where, "tensor '" + tensor.name + "' is " + tensor_text(tensor.value) + ".");
    if (!names.insert(tensor.name).second) throw not_writable(where, "two tensors are named '" + tensor.name + "'.");
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return a->value.element_size() > b->value.element_size();
  });

  std::string header;
  try {
    header = header_text(order, metadata, with_digest);
  } catch (const nlohmann::json::exception&) {
    throw not_writable(where, "a name or a text of the metadata is not UTF-8.");
  }
  if (header.size() > kMaxHeaderBytes)
    throw not_writable(where, "the header would have " + std::to_string(header.size()) + " bytes.");

  std::array<std::byte, kPrefixBytes> length{};
  for (std::size_t i = 0; i < kPrefixBytes; ++i) length[i] = static_cast<std::byte>(header.size() >> (8 * i) & 0xff);

  AtomicFile file(where);
  Hasher hasher;
  const auto put = [&](std::span<const std::byte> bytes) {
    file.write(bytes);
    if (with_digest) hasher.add(bytes);
  };
  put(length);
  put(std::as_bytes(std::span(header)));
  for (const NamedTensor* tensor : order) {
    const at::Tensor plain = tensor->value.detach().to(at::kCPU).contiguous();
    put({static_cast<const std::byte*>(plain.const_data_ptr()), plain.nbytes()});
  }
  if (with_digest) {
    const Digest digest = hasher.digest();
    file.write(std::as_bytes(std::span(digest.bytes)));
  }
  file.commit();
}

}  // namespace kdhost
