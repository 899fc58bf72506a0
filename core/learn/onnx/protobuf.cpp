// onnx.proto3 by protozero. The numbers are those of the fields in that file.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <stdexcept>

#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::pbf_writer;

static_assert(std::endian::native == std::endian::little, "tensors are copied as they lie in memory");

constexpr std::int64_t kIrVersion = 8;
constexpr std::int32_t kFloat = 1;  // TensorProto.DataType
constexpr std::int32_t kInt64 = 7;
constexpr std::size_t kMostThings = 65536;  // nodes, tensors, names: each takes more memory than bytes of the file
constexpr std::size_t kMaxRank = 8;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

void WriteTensor(pbf_writer out, const Tensor& tensor) {
  out.add_packed_int64(1, tensor.shape.begin(), tensor.shape.end());
  std::visit(Overloaded{[&](const std::vector<float>& values) {
                          out.add_int32(2, kFloat);
                          out.add_string(8, tensor.name);
                          out.add_bytes(9, reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
                        },
                        [&](const std::vector<std::int64_t>& values) {
                          out.add_int32(2, kInt64);
                          out.add_string(8, tensor.name);
                          out.add_bytes(9, reinterpret_cast<const char*>(values.data()),
                                        values.size() * sizeof(std::int64_t));
                        }},
             tensor.values);
}

void WriteAttribute(pbf_writer out, const Attribute& attribute) {
  out.add_string(1, attribute.name);
  const std::int32_t type = std::visit(Overloaded{[&](float value) {
                                                    out.add_float(2, value);
                                                    return 1;
                                                  },
                                                  [&](std::int64_t value) {
                                                    out.add_int64(3, value);
                                                    return 2;
                                                  },
                                                  [&](const std::string& value) {
                                                    out.add_bytes(4, value);
                                                    return 3;
                                                  },
                                                  [&](const std::vector<float>& values) {
                                                    out.add_packed_float(7, values.begin(), values.end());
                                                    return 6;
                                                  },
                                                  [&](const std::vector<std::int64_t>& values) {
                                                    out.add_packed_int64(8, values.begin(), values.end());
                                                    return 7;
                                                  },
                                                  [&](const std::vector<std::string>& values) {
                                                    for (const std::string& value : values) out.add_bytes(9, value);
                                                    return 8;
                                                  }},
                                       attribute.value);
  out.add_int32(20, type);
}

void WriteNode(pbf_writer out, const Node& node) {
  for (const std::string& name : node.inputs) out.add_string(1, name);
  for (const std::string& name : node.outputs) out.add_string(2, name);
  if (!node.outputs.empty()) out.add_string(3, "make " + node.outputs.front());
  out.add_string(4, node.op);
  for (const Attribute& attribute : node.attributes) WriteAttribute(pbf_writer(out, 5), attribute);
  if (!node.domain.empty()) out.add_string(7, node.domain);
}

void WriteValue(pbf_writer out, const Value& value) {
  out.add_string(1, value.name);
  pbf_writer type(out, 2);
  pbf_writer tensor(type, 1);
  tensor.add_int32(1, value.integers ? kInt64 : kFloat);
  pbf_writer shape(tensor, 2);
  for (const std::int64_t extent : value.shape) {
    pbf_writer dimension(shape, 1);
    if (extent < 0) {
      dimension.add_string(2, "rows");
    } else {
      dimension.add_int64(1, extent);
    }
  }
}

// What is wrong with the bytes; protozero throws too, so that both end in Decode.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Calls `field(number, wire type, reader)` for each field; what it does not take is skipped.
template <class Field>
void ForEach(pbf_reader reader, const Field& field) {
  while (reader.next()) {
    if (!field(reader.tag(), reader.wire_type(), reader)) reader.skip();
  }
}

template <class T>
T& Append(std::vector<T>& list) {
  if (list.size() >= kMostThings) throw Refused(fmt::format("more than {} parts of one sort", kMostThings));
  return list.emplace_back();
}

std::string TextOf(pbf_reader& reader) { return reader.get_string(); }

// Repeated numbers stand alone or packed.
bool TakeInts(pbf_wire_type wire, pbf_reader& reader, std::vector<std::int64_t>& out, std::size_t most) {
  const auto add = [&](std::int64_t value) {
    if (out.size() >= most) throw Refused("a list of numbers that is too long");
    out.push_back(value);
  };
  if (wire == pbf_wire_type::varint) {
    add(reader.get_int64());
  } else if (wire == pbf_wire_type::length_delimited) {
    for (const std::int64_t value : reader.get_packed_int64()) add(value);
  } else {
    return false;
  }
  return true;
}

bool TakeFloats(pbf_wire_type wire, pbf_reader& reader, std::vector<float>& out) {
  if (wire == pbf_wire_type::fixed32) {
    out.push_back(reader.get_float());
  } else if (wire == pbf_wire_type::length_delimited) {
    const auto packed = reader.get_packed_float();
    out.insert(out.end(), packed.begin(), packed.end());
  } else {
    return false;
  }
  return true;
}

constexpr std::size_t kMostInts = std::size_t{1} << 20;

template <class T>
std::vector<T> FromRaw(std::string_view raw) {
  if (raw.size() % sizeof(T) != 0) throw Refused("a tensor whose bytes are no whole number of elements");
  std::vector<T> values(raw.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

Tensor ReadTensor(pbf_reader reader) {
  Tensor tensor;
  std::int32_t type = 0;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::optional<std::string_view> raw;
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    const bool text = wire == pbf_wire_type::length_delimited;
    const bool number = wire == pbf_wire_type::varint;
    if (tag == 1) return TakeInts(wire, field, tensor.shape, kMaxRank);
    if (tag == 2 && number) return type = field.get_int32(), true;
    if (tag == 4) return TakeFloats(wire, field, floats);
    if (tag == 7) return TakeInts(wire, field, ints, kMostInts);
    if (tag == 8 && text) return tensor.name = TextOf(field), true;
    if (tag == 9 && text) {
      const auto view = field.get_view();
      raw = std::string_view(view.data(), view.size());
      return true;
    }
    if (tag == 13 || (tag == 14 && number && field.get_int32() != 0)) throw Refused("a tensor in another file");
    return tag == 14 && number;
  });
  std::uint64_t count = 1;
  for (const std::int64_t extent : tensor.shape) {
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count)) {
      throw Refused("a tensor whose shape is out of range");
    }
  }
  if (type == kFloat) {
    if (raw) floats = FromRaw<float>(*raw);
    if (floats.size() != count) throw Refused("a tensor whose elements do not fit its shape");
    tensor.values = std::move(floats);
  } else if (type == kInt64) {
    if (raw) ints = FromRaw<std::int64_t>(*raw);
    if (ints.size() != count) throw Refused("a tensor whose elements do not fit its shape");
    tensor.values = std::move(ints);
  } else {
    throw Refused(fmt::format("a tensor of type {}; float32 and int64 are read", type));
  }
  return tensor;
}

Attribute ReadAttribute(pbf_reader reader) {
  Attribute attribute;
  std::int32_t type = 0;
  float real = 0;
  std::int64_t whole = 0;
  std::string text;
  std::vector<float> reals;
  std::vector<std::int64_t> wholes;
  std::vector<std::string> texts;
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    const bool delimited = wire == pbf_wire_type::length_delimited;
    const bool number = wire == pbf_wire_type::varint;
    if (tag == 1 && delimited) return attribute.name = TextOf(field), true;
    if (tag == 2 && wire == pbf_wire_type::fixed32) return real = field.get_float(), true;
    if (tag == 3 && number) return whole = field.get_int64(), true;
    if (tag == 4 && delimited) return text = TextOf(field), true;
    if (tag == 7) return TakeFloats(wire, field, reals);
    if (tag == 8) return TakeInts(wire, field, wholes, kMostInts);
    if (tag == 9 && delimited) return Append(texts) = TextOf(field), true;
    if (tag == 20 && number) return type = field.get_int32(), true;
    return false;
  });
  switch (type) {
    case 1:
      attribute.value = real;
      break;
    case 2:
      attribute.value = whole;
      break;
    case 3:
      attribute.value = std::move(text);
      break;
    case 6:
      attribute.value = std::move(reals);
      break;
    case 7:
      attribute.value = std::move(wholes);
      break;
    case 8:
      attribute.value = std::move(texts);
      break;
    default:
      throw Refused(fmt::format("an attribute of type {}", type));
  }
  return attribute;
}

Node ReadNode(pbf_reader reader) {
  Node node;
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    if (wire != pbf_wire_type::length_delimited) return false;
    if (tag == 1) return Append(node.inputs) = TextOf(field), true;
    if (tag == 2) return Append(node.outputs) = TextOf(field), true;
    if (tag == 4) return node.op = TextOf(field), true;
    if (tag == 5) return Append(node.attributes) = ReadAttribute(field.get_message()), true;
    if (tag == 7) return node.domain = TextOf(field), true;
    return false;
  });
  return node;
}

void ReadShape(pbf_reader reader, std::vector<std::int64_t>& shape) {
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    if (tag != 1 || wire != pbf_wire_type::length_delimited) return false;
    if (shape.size() >= kMaxRank) throw Refused(fmt::format("more than {} dimensions", kMaxRank));
    std::int64_t extent = -1;
    ForEach(field.get_message(), [&](auto kind, pbf_wire_type how, pbf_reader& value) {
      if (kind != 1 || how != pbf_wire_type::varint) return false;
      extent = value.get_int64();
      return true;
    });
    shape.push_back(std::max<std::int64_t>(extent, -1));
    return true;
  });
}

Value ReadValue(pbf_reader reader) {
  Value out;
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    if (wire != pbf_wire_type::length_delimited) return false;
    if (tag == 1) return out.name = TextOf(field), true;
    if (tag != 2) return false;
    ForEach(field.get_message(), [&](auto kind, pbf_wire_type how, pbf_reader& type) {
      if (kind != 1 || how != pbf_wire_type::length_delimited) return false;
      ForEach(type.get_message(), [&](auto part, pbf_wire_type form, pbf_reader& tensor) {
        if (part == 1 && form == pbf_wire_type::varint) return out.integers = tensor.get_int32() == kInt64, true;
        if (part == 2 && form == pbf_wire_type::length_delimited) {
          return ReadShape(tensor.get_message(), out.shape), true;
        }
        return false;
      });
      return true;
    });
    return true;
  });
  return out;
}

void ReadGraph(pbf_reader reader, Graph& graph) {
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    if (wire != pbf_wire_type::length_delimited) return false;
    if (tag == 1) return Append(graph.nodes) = ReadNode(field.get_message()), true;
    if (tag == 5) return Append(graph.tensors) = ReadTensor(field.get_message()), true;
    if (tag == 11) return Append(graph.inputs) = ReadValue(field.get_message()), true;
    if (tag == 12) return Append(graph.outputs) = ReadValue(field.get_message()), true;
    if (tag == 15) throw Refused("a sparse tensor");
    return false;
  });
}

// {1: text, 2: text or number} as it stands in metadata and in the list of operator sets.
template <class Second>
void ReadPair(pbf_reader reader, std::string& first, const Second& second) {
  ForEach(reader, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
    if (tag == 1 && wire == pbf_wire_type::length_delimited) return first = TextOf(field), true;
    return tag == 2 && second(wire, field);
  });
}

}  // namespace

Bytes Encode(const Graph& graph) {
  std::string out;
  pbf_writer model(out);
  model.add_int64(1, kIrVersion);
  model.add_string(2, "ote");
  {
    pbf_writer body(model, 7);
    for (const Node& node : graph.nodes) WriteNode(pbf_writer(body, 1), node);
    body.add_string(2, "model");
    for (const Tensor& tensor : graph.tensors) WriteTensor(pbf_writer(body, 5), tensor);
    for (const Value& value : graph.inputs) WriteValue(pbf_writer(body, 11), value);
    for (const Value& value : graph.outputs) WriteValue(pbf_writer(body, 12), value);
  }
  for (const auto& [domain, version] : graph.opsets) {
    pbf_writer set(model, 8);
    set.add_string(1, domain);
    set.add_int64(2, version);
  }
  for (const auto& [key, value] : graph.metadata) {
    pbf_writer entry(model, 14);
    entry.add_string(1, key);
    entry.add_string(2, value);
  }
  return Bytes(out.begin(), out.end());
}

Result<Graph> Decode(ByteView bytes) {
  Graph graph;
  graph.opsets.clear();
  bool has_graph = false;
  try {
    const pbf_reader whole(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    ForEach(whole, [&](auto tag, pbf_wire_type wire, pbf_reader& field) {
      if (wire != pbf_wire_type::length_delimited) return false;
      if (tag == 7) {
        if (has_graph) throw Refused("two graphs");
        has_graph = true;
        ReadGraph(field.get_message(), graph);
        return true;
      }
      if (tag == 8) {
        std::string domain;
        std::int64_t version = 0;
        ReadPair(field.get_message(), domain, [&](pbf_wire_type how, pbf_reader& value) {
          return how == pbf_wire_type::varint && (version = value.get_int64(), true);
        });
        if (graph.opsets.size() >= kMostThings) throw Refused("too many operator sets");
        graph.opsets[domain] = version;
        return true;
      }
      if (tag == 14) {
        std::string key;
        std::string value;
        ReadPair(field.get_message(), key, [&](pbf_wire_type how, pbf_reader& text) {
          return how == pbf_wire_type::length_delimited && (value = TextOf(text), true);
        });
        if (graph.metadata.size() >= kMostThings) throw Refused("too much metadata");
        graph.metadata[key] = std::move(value);
        return true;
      }
      return false;
    });
  } catch (const Refused& refused) {
    return Fail(ErrorId::kModelInvalid, fmt::format("onnx: it holds {}", refused.what()));
  } catch (const std::exception&) {
    return Fail(ErrorId::kModelInvalid, "onnx: it is cut short, or not an ONNX file");
  }
  if (!has_graph) return Fail(ErrorId::kModelInvalid, "onnx: it holds no graph");
  return graph;
}

}  // namespace ote::learn::onnx
